/** The settings of one entry for Google Cloud in the configuration, and what their schema cannot say. */

import { type Static, Type } from 'typebox'
import type { Report } from '../../src/identity.ts'
import { checkJwks, JwksSettings } from '../../src/net/keyreader.ts'
import type { Algorithm } from '../../src/net/signature.ts'
import { DURATION_PATTERN } from '../../src/units.ts'

/** Google signs with it for every service account and every user there is. */
export const ISSUER = 'https://accounts.google.com'

/** JSON Schema of a trust entry of kind `gcp`. */
export const GcpSettings = Type.Object(
  {
    name: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$',
        description: 'Our name for the entry, where there are several. Default: google.',
      }),
    ),
    serviceAccounts: Type.Optional(
      Type.Array(
        Type.String({
          pattern:
            '^([0-9]{10,30}|[a-z0-9][a-z0-9.-]{0,99}@[a-z0-9.-]{1,150}[.]gserviceaccount[.]com)$',
          title: 'the unique id or e-mail address of a service account',
        }),
        {
          minItems: 1,
          uniqueItems: true,
          description:
            'Service accounts that may ask, by unique id (better: it is never given again) or e-mail address.',
        },
      ),
    ),
    projects: Type.Optional(
      Type.Array(
        Type.String({
          pattern: '^([0-9]{1,19}|([a-z0-9.-]{1,100}:)?[a-z][a-z0-9-]{4,28}[a-z0-9])$',
          title: 'the number or id of a project',
        }),
        {
          minItems: 1,
          uniqueItems: true,
          description:
            'Projects by number or id, in quotes. With it only tokens of virtual machines in them are taken.',
        },
      ),
    ),
    jwks: Type.Optional(JwksSettings),
    maxLifetime: Type.Optional(
      Type.String({
        pattern: DURATION_PATTERN,
        description: 'The longest lifetime (exp minus iat) of a token that is taken. Default: 61m.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Service accounts of Google Cloud. Needs serviceAccounts, projects or both; then both must hold.',
  },
)
export type GcpSettings = Static<typeof GcpSettings>

export const ALGORITHMS: readonly Algorithm[] = ['RS256']
export const DEFAULT_NAME = 'google'
/** Google's tokens live for an hour. */
export const DEFAULT_MAX_LIFETIME = '61m'
/** On another origin than the issuer, so discovery would refuse it. */
export const DEFAULT_JWKS: JwksSettings = { url: 'https://www.googleapis.com/oauth2/v3/certs' }

/** Reports every problem of the settings that needs more than one field to see. */
export function checkGcp(settings: GcpSettings, report: Report): void {
  if (settings.serviceAccounts === undefined && settings.projects === undefined) {
    report([], 'needs serviceAccounts or projects: Google signs for everybody with one issuer')
  }
  if (settings.jwks !== undefined) {
    checkJwks(settings.jwks, ISSUER, (path, message) => report(['jwks', ...path], message))
  }
}
