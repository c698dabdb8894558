/** The settings of one SPIFFE trust domain in the configuration, and what their schema cannot say. */

import { type Static, Type } from 'typebox'
import type { Report } from '../../src/identity.ts'
import { checkJwks } from '../../src/net/keyreader.ts'
import { type Algorithm, ALGORITHMS as KNOWN } from '../../src/net/signature.ts'
import { parseSpiffeId, trustDomainUri } from '../../src/net/spiffeid.ts'
import { DURATION_PATTERN } from '../../src/units.ts'

/** JWT-SVID §2.2 leaves EdDSA out. */
const ALGORITHMS = KNOWN.filter((algorithm) => !algorithm.startsWith('Ed'))

const path = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, format: 'path', description }))

/** Where the bundle of the trust domain is; a file or a URL. */
const BundleSettings = Type.Object(
  {
    file: path('A file with the SPIFFE bundle, read again every few minutes.'),
    url: Type.Optional(
      Type.String({ format: 'uri', description: 'The URL of the bundle endpoint. https only.' }),
    ),
    profile: Type.Optional(
      Type.Enum(['https_web', 'https_spiffe'], {
        description:
          'How the endpoint shows who it is: by a certificate of a web authority, or by an X.509-SVID. Required with url.',
      }),
    ),
    endpointId: Type.Optional(
      Type.String({
        description: 'With https_spiffe: the SPIFFE ID of the endpoint, in this trust domain.',
      }),
    ),
    bootstrap: path(
      'With https_spiffe: a file with a bundle whose X.509 authorities vouch for the endpoint until it has been read once.',
    ),
    ca: path("With https_web: PEM file, trusted in place of the system's roots."),
    allowPrivate: Type.Optional(
      Type.Boolean({
        description: 'Let the host be at a private or loopback address. Default: false.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: "Where the trust domain's keys come from. Exactly one of file and url.",
  },
)
export type BundleSettings = Static<typeof BundleSettings>

/** JSON Schema of a trust entry of kind `spiffe`. */
export const SpiffeSettings = Type.Object(
  {
    trustDomain: Type.String({
      pattern: '^[a-z0-9._-]{1,255}$',
      title: 'a trust domain, such as example.org',
      description: 'The trust domain whose workloads may ask, without spiffe://.',
    }),
    bundle: BundleSettings,
    ids: Type.Optional(
      Type.Array(Type.String(), {
        minItems: 1,
        uniqueItems: true,
        description:
          'SPIFFE IDs that may ask; one that ends in /* stands for all below it. Default: the whole trust domain.',
      }),
    ),
    algorithms: Type.Optional(
      Type.Array(Type.Enum([...ALGORITHMS]), {
        minItems: 1,
        uniqueItems: true,
        description:
          'Signature algorithms taken from this trust domain. Default: ES256, ES384 and RS256.',
      }),
    ),
    maxLifetime: Type.Optional(
      Type.String({
        pattern: DURATION_PATTERN,
        description: 'The longest lifetime (exp minus iat) of a token that is taken. Default: 1h.',
      }),
    ),
    maxCertificateLifetime: Type.Optional(
      Type.String({
        pattern: DURATION_PATTERN,
        description:
          'The longest lifetime of the certificate of an X.509-SVID that is taken. Default: 24h.',
      }),
    ),
    replay: Type.Optional(
      Type.Enum(['reusable'], {
        description: 'A JWT-SVID may be shown until it expires, because agents cache it.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'A SPIFFE trust domain whose workloads may ask, by JWT-SVID or X.509-SVID.',
  },
)
export type SpiffeSettings = Static<typeof SpiffeSettings>

/** What SPIRE signs with, by the type of its JWT key. */
export const DEFAULT_ALGORITHMS: readonly Algorithm[] = ['ES256', 'ES384', 'RS256']
export const DEFAULT_MAX_LIFETIME = '1h'
export const DEFAULT_MAX_CERTIFICATE_LIFETIME = '24h'

/** Ends an item of `ids` that stands for all ids below it. */
export const BELOW = '/*'

/** Settings of the bundle that only some of its sources have. */
const OPTIONS = ['profile', 'endpointId', 'bootstrap', 'ca', 'allowPrivate'] as const
const FOREIGN = {
  https_web: ['endpointId', 'bootstrap'],
  https_spiffe: ['ca'],
} as const

/** Reports every problem of the settings that needs more than one field to see. */
export function checkSpiffe({ trustDomain, bundle, ids }: SpiffeSettings, report: Report): void {
  checkBundle(bundle, trustDomain, (below, message) => report(['bundle', ...below], message))
  ids?.forEach((id, index) => {
    const base = id.endsWith(BELOW) ? id.slice(0, -BELOW.length) : id
    const fault = idFault(base, trustDomain)
    if (fault !== null) report(['ids', index], fault)
    else if (base === id && parseSpiffeId(id)?.path === '') {
      report(['ids', index], `is no workload; ${id}${BELOW} stands for all of them`)
    }
  })
}

function checkBundle(bundle: BundleSettings, trustDomain: string, report: Report): void {
  const { file, url, profile } = bundle
  if ((file === undefined) === (url === undefined)) report([], 'must have exactly one of file, url')
  if (url === undefined) {
    for (const option of OPTIONS.filter((name) => bundle[name] !== undefined)) {
      report([option], 'has a meaning only with url')
    }
    return
  }
  if (profile === undefined) {
    report(['profile'], 'is required with url: https_web or https_spiffe, as its operator says')
    return
  }
  for (const option of FOREIGN[profile].filter((name) => bundle[name] !== undefined)) {
    report([option], `has no meaning with ${profile}`)
  }
  if (profile === 'https_web') {
    checkJwks({ url, allowPrivate: bundle.allowPrivate === true }, url, report)
  } else checkSpiffeEndpoint(url, bundle, trustDomain, report)
}

function checkSpiffeEndpoint(
  url: string,
  { endpointId, bootstrap }: BundleSettings,
  trustDomain: string,
  report: Report,
): void {
  if (URL.parse(url)?.protocol !== 'https:') report(['url'], 'needs an https URL')
  if (bootstrap === undefined) report(['bootstrap'], 'is required with https_spiffe')
  if (endpointId === undefined) {
    report(['endpointId'], 'is required with https_spiffe')
    return
  }
  // Only this trust domain's authorities are known, so that they can vouch for nobody else.
  const fault = idFault(endpointId, trustDomain)
  if (fault !== null) report(['endpointId'], fault)
}

function idFault(text: string, trustDomain: string): string | null {
  const id = parseSpiffeId(text)
  if (id === null) return 'is not a SPIFFE ID, spiffe://<trust domain>/<path>'
  if (id.trustDomain === trustDomain) return null
  return `is not below ${trustDomainUri(trustDomain)}/, the entry's trust domain`
}
