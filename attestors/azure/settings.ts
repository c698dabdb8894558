/** The settings of one Entra tenant in the configuration, and what their schema cannot say. */

import { type Static, Type } from 'typebox'
import type { Report } from '../../src/identity.ts'
import { checkJwks, JwksSettings } from '../../src/net/keyreader.ts'
import type { Algorithm } from '../../src/net/signature.ts'
import { DURATION_PATTERN } from '../../src/units.ts'
import { azureAttestation } from '../oidc/presets/azure-attestation.ts'
import { CLOUDS, type CloudName, type Issuers, issuersOf, keysOf } from './clouds.ts'
import { firstParty } from './firstparty.ts'

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'

const path = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 2048, format: 'path', description }))

/** JSON Schema of what an entry says of Azure Attestation. */
export const AttestationSettings = Type.Object(
  {
    issuers: Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
      minItems: 1,
      maxItems: 8,
      uniqueItems: true,
      description:
        'The attestation providers, exactly: https://<instance>.<region>.attest.azure.net.',
    }),
    policyHashes: Type.Array(
      Type.String({
        pattern: '^[A-Za-z0-9_-]{43}$',
        title: 'a policy hash: SHA-256 in base64url',
      }),
      {
        minItems: 1,
        maxItems: 8,
        uniqueItems: true,
        description: 'The policies that may have judged the machine, by `x-ms-policy-hash`.',
      },
    ),
    jwks: Type.Optional(JwksSettings),
  },
  {
    additionalProperties: false,
    description:
      'Take results of Azure Attestation for confidential virtual machines. Default: refused.',
  },
)
export type AttestationSettings = Static<typeof AttestationSettings>

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
    subscriptions: Type.Optional(
      Type.Array(
        Type.String({
          pattern: `^${UUID}$`,
          title: 'the id of a subscription: a UUID in lower case',
        }),
        {
          minItems: 1,
          maxItems: 100,
          uniqueItems: true,
          description:
            'The subscriptions whose virtual machines may show, beside the token, which of them they are. Default: refused.',
        },
      ),
    ),
    intermediates: path(
      'PEM file with the authorities between a pinned root and the metadata service. With it attested documents are taken.',
    ),
    roots: path('PEM file with roots that are believed beside the pinned one.'),
    attestation: Type.Optional(AttestationSettings),
    resourceGraph: Type.Optional(
      Type.Object(
        {
          clientId: Type.String({
            pattern: `^${UUID}$`,
            title: 'the client id of a managed identity',
            description: 'The managed identity by which the broker asks.',
          }),
        },
        {
          additionalProperties: false,
          description: 'How Resource Graph is asked. Default: what DefaultAzureCredential finds.',
        },
      ),
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
  checkMachines(settings, report)
  if (settings.jwks !== undefined) {
    checkJwks(settings.jwks, issuersFor(settings).v2, (path, message) =>
      report(['jwks', ...path], message),
    )
  }
}

function checkMachines(settings: AzureSettings, report: Report): void {
  const { subscriptions, intermediates, attestation } = settings
  if (subscriptions !== undefined && (intermediates ?? attestation) === undefined) {
    const why = 'Azure sends the certificate of the signer alone'
    report(['subscriptions'], `needs intermediates, a PEM file (${why}), or attestation`)
  }
  for (const name of ['intermediates', 'attestation', 'resourceGraph'] as const) {
    if (settings[name] === undefined || subscriptions !== undefined) continue
    report([name], 'means nothing without subscriptions, whose machines it is about')
  }
  if (settings.roots !== undefined && intermediates === undefined) {
    report(['roots'], 'means nothing without intermediates')
  }
  attestation?.issuers.forEach((issuer, index) => {
    if (azureAttestation.issuers.test(issuer)) return
    report(['attestation', 'issuers', index], `must be ${azureAttestation.issuersSaid}`)
  })
  if (attestation?.jwks !== undefined) {
    const { jwks, issuers } = attestation
    if (issuers.length > 1) report(['attestation', 'jwks'], 'is of one issuer, and there are more')
    checkJwks(jwks, issuers[0] ?? '', (at, message) =>
      report(['attestation', 'jwks', ...at], message),
    )
  }
}
