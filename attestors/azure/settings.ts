/** The settings of one Entra tenant in the configuration, and what their schema cannot say. */

import { type Static, Type } from 'typebox'
import type { Report } from '../../src/identity.ts'
import { checkJwks, JwksSettings } from '../../src/net/keyreader.ts'
import type { Algorithm } from '../../src/net/signature.ts'
import { DURATION_PATTERN } from '../../src/units.ts'
import { CLOUDS, type CloudName, type Issuers, issuersOf, keysOf } from './clouds.ts'
import { firstParty } from './firstparty.ts'

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'

/** JSON Schema of a trust entry of kind `azure`. */
export const AzureSettings = Type.Object(
  {
    tenant: Type.String({
      pattern: `^${UUID}$`,
      title: 'a tenant id: a UUID in lower case',
      description: 'The id of the Entra tenant whose managed identities may ask.',
    }),
    audiences: Type.Array(Type.String({ minLength: 1, maxLength: 512 }), {
      minItems: 1,
      maxItems: 16,
      uniqueItems: true,
      description:
        'The App ID URIs (api://…) and application ids of our own app registration. A token names exactly one.',
    }),
    cloud: Type.Optional(
      Type.Enum(Object.keys(CLOUDS) as CloudName[], {
        description: 'The cloud of the tenant. Default: public.',
      }),
    ),
    roles: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
        minItems: 1,
        uniqueItems: true,
        description:
          'Application roles of our app registration: a token must carry one of them. Default: none is needed.',
      }),
    ),
    jwks: Type.Optional(JwksSettings),
    maxLifetime: Type.Optional(
      Type.String({
        pattern: DURATION_PATTERN,
        description: 'The longest lifetime (exp minus iat) of a token that is taken. Default: 25h.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'An Entra tenant whose managed identities may ask.',
  },
)
export type AzureSettings = Static<typeof AzureSettings>

export const ALGORITHMS: readonly Algorithm[] = ['RS256']
/** Managed identities get tokens for 24 hours, and Entra dates `iat` some minutes back. */
export const DEFAULT_MAX_LIFETIME = '25h'

/** The issuers that the settings call for. */
export function issuersFor({ tenant, cloud }: AzureSettings): Issuers {
  return issuersOf(tenant, cloud ?? 'public')
}

/** Where the tenant's keys are. */
export function jwksOf({ jwks, tenant, cloud }: AzureSettings): JwksSettings {
  return jwks ?? { url: keysOf(tenant, cloud ?? 'public') }
}

/** Reports every problem of the settings that needs more than one field to see. */
export function checkAzure(settings: AzureSettings, report: Report): void {
  settings.audiences.forEach((audience, index) => {
    const owner = firstParty(audience)
    if (owner === undefined) return
    const why = `belongs to ${owner}: its tokens are live credentials there`
    report(['audiences', index], `${why}; register an application of your own`)
  })
  if (settings.jwks !== undefined) {
    checkJwks(settings.jwks, issuersFor(settings).v2, (path, message) =>
      report(['jwks', ...path], message),
    )
  }
}
