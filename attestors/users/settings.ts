/** The settings of one provider of people: `users` in the configuration. */

import { type Static, Type } from 'typebox'
import type { Report } from '../../src/identity.ts'
import { checkJwks, JwksSettings } from '../../src/net/keyreader.ts'
import { ALGORITHMS } from '../../src/net/signature.ts'
import { DURATION_PATTERN } from '../../src/units.ts'

const strict = { additionalProperties: false }

/** The kinds of token that a provider may be trusted for. */
export const ACCEPTED = ['id_token', 'access_token', 'id-jag'] as const
export type Accepted = (typeof ACCEPTED)[number]

/** JSON Schema of an entry of `users`. */
export const UsersSettings = Type.Object(
  {
    name: Type.String({
      pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$',
      description:
        'Our name for the provider. Subjects and groups start with it: user://<name>/…, Group::"<name>/…"',
    }),
    issuer: Type.String({
      minLength: 1,
      maxLength: 2048,
      description: 'The exact `iss` of its tokens.',
    }),
    jwks: Type.Optional(JwksSettings),
    accept: Type.Array(Type.Enum([...ACCEPTED]), {
      minItems: 1,
      uniqueItems: true,
      description: 'Which of its tokens may say for whom an agent acts.',
    }),
    audiences: Type.Array(Type.String({ minLength: 1, maxLength: 2048 }), {
      minItems: 1,
      maxItems: 100,
      uniqueItems: true,
      description:
        'Every `aud` of a token must be one of these: the client ids or APIs whose tokens agents may bring. An ID-JAG is for our issuer instead.',
    }),
    clients: Type.Optional(
      Type.Record(
        Type.String({ minLength: 1, maxLength: 2048 }),
        Type.String({ minLength: 1, maxLength: 2048 }),
        {
          ...strict,
          description:
            'Whom its ID-JAGs are made out to: its client id for a workload, and the canonical URI of that workload. One that is not here has its URI as client id.',
        },
      ),
    ),
    groupsClaim: Type.Optional(
      Type.String({ pattern: '^.{1,256}$', description: 'The claim that lists groups, by name.' }),
    ),
    algorithms: Type.Optional(
      Type.Array(Type.Enum([...ALGORITHMS]), {
        minItems: 1,
        uniqueItems: true,
        description: 'Signature algorithms taken from it. Default: RS256 and ES256.',
      }),
    ),
    maxLifetime: Type.Optional(
      Type.String({
        pattern: DURATION_PATTERN,
        description: 'The longest lifetime (exp minus iat) of a token that is taken. Default: 24h.',
      }),
    ),
  },
  { ...strict, description: 'A provider of people for whom agents act.' },
)
export type UsersSettings = Static<typeof UsersSettings>

const WORKLOAD = /^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]+$/

/** Reports what the schema cannot say. */
export function checkUsers(
  { jwks, issuer, accept, clients = {} }: UsersSettings,
  report: Report,
): void {
  if (!accept.includes('id-jag') && Object.keys(clients).length > 0) {
    report(['clients'], 'are those of ID-JAGs, which are not in accept')
  }
  for (const [clientId, uri] of Object.entries(clients)) {
    if (WORKLOAD.test(uri)) continue
    report(['clients', clientId], 'must be the canonical URI of a workload, such as k8s://…')
  }
  if (!/^https:\/\//.test(issuer) && (jwks === undefined || jwks.discovery !== undefined)) {
    report(['issuer'], 'must be an https URL where its keys are found by discovery')
  }
  if (jwks !== undefined) {
    checkJwks(jwks, issuer, (path, message) => report(['jwks', ...path], message))
  }
}
