/**
 * Who may vouch for workloads. Each entry is one kind of attestor; together they must leave no assertion
 * for which two entries could answer, nor one that another server or resource would also accept.
 */

import type { AttestorKind, EntityRef } from '../identity.ts'
import { canonicalUri } from '../uri.ts'
import { type Findings, quote, type SettingPath } from './findings.ts'
import type { RawTrustCommon } from './schema.ts'
import { isTree } from './shape.ts'

/** One trust entry, ready for its kind's `create`. */
export type TrustConfig = {
  readonly kind: string
  /** Unique: `<kind>:<name>`. */
  readonly trust: string
  /** The entity `Environment::"…"` that holds the anchor, by id; null for none. */
  readonly environment: string | null
  /** The sole `aud` accepted. */
  readonly audience: string
  /** The exact `iss` values that select this entry. */
  readonly issuers: readonly string[]
  readonly anchor: EntityRef
  /** The kind's own settings, which its schema and `check` have accepted. */
  readonly settings: unknown
}

/** First path segments below the issuer that are ours: a token made out to one of them is not for a trust entry. */
const ENDPOINTS = [
  '.well-known',
  'authorize',
  'challenge',
  'introspect',
  'jwks',
  'livez',
  'readyz',
  'revocations',
  'revoke',
  'token',
]

/** Reads the entries that the schema accepted, each by itself and all against each other. */
export function readTrust(
  entries: readonly unknown[],
  issuer: string,
  kinds: readonly AttestorKind<unknown>[],
  find: Findings,
): readonly TrustConfig[] {
  const read = entries.flatMap((entry, index) => {
    const place = ['trust', index]
    const [kind, settings] = (isTree(entry) ? Object.entries(entry)[0] : undefined) ?? []
    const row = kinds.find((candidate) => candidate.kind === kind)
    if (row === undefined || !isTree(settings) || !find.sound(place)) return []
    const at = [...place, row.kind]
    return [{ at, config: readEntry(row, settings, at, issuer, find) }]
  })
  read.forEach(({ at, config }, index) => {
    refuseOwnIssuer(config, issuer, at, find)
    for (const earlier of read.slice(0, index)) compare(config, earlier.config, at, find)
  })
  return read.map(({ config }) => config)
}

function readEntry(
  row: AttestorKind<unknown>,
  written: Readonly<Record<string, unknown>>,
  at: SettingPath,
  issuer: string,
  find: Findings,
): TrustConfig {
  const { environment, audience = issuer, ...settings } = written as RawTrustCommon
  row.check(settings, find.below(at))
  const fault = audienceFault(audience, issuer)
  if (fault !== undefined) find.error([...at, 'audience'], fault)
  return {
    kind: row.kind,
    trust: `${row.kind}:${row.name(settings)}`,
    environment: environment ?? null,
    audience,
    issuers: row.issuers(settings),
    anchor: row.anchor(settings),
    settings,
  }
}

function audienceFault(audience: string, issuer: string): string | undefined {
  if (audience === issuer || issuer === '') return undefined
  if (!audience.startsWith(`${issuer}/`)) {
    return `is ${quote(audience)}, but must be the issuer or begin with ${quote(`${issuer}/`)}`
  }
  if (canonicalUri(audience) !== audience || /[?]|\/$/.test(audience)) {
    return `is ${quote(audience)}, but must be a plain URL without query, fragment or trailing slash`
  }
  const [first = ''] = audience.slice(issuer.length + 1).split('/')
  return ENDPOINTS.includes(first)
    ? `is ${quote(audience)}, which is an endpoint of this server; choose a path of its own, such as ${quote(`${issuer}/k8s/prod`)}`
    : undefined
}

/** What we sign ourselves vouches for nobody: a token could then renew itself. */
function refuseOwnIssuer(entry: TrustConfig, own: string, at: SettingPath, find: Findings): void {
  if (!entry.issuers.includes(own)) return
  find.error([...at, 'issuer'], 'is our own issuer: this server cannot vouch for its own callers')
}

function compare(later: TrustConfig, earlier: TrustConfig, at: SettingPath, find: Findings): void {
  if (later.trust === earlier.trust) {
    find.error(
      at,
      `is named ${quote(later.trust)}, as an earlier entry is; names must be unique`,
      'key',
    )
  }
  const shared = later.issuers.find((issuer) => earlier.issuers.includes(issuer))
  if (shared === undefined) return
  if (later.kind !== earlier.kind) {
    // Two kinds read the same token differently; whose rules hold must not be the caller's choice.
    find.error(
      [...at, 'issuer'],
      `is ${quote(shared)}, which ${quote(earlier.trust)} answers for; two kinds cannot share an issuer`,
    )
  } else if (later.audience === earlier.audience) {
    find.error(
      [...at, 'audience'],
      `is ${quote(later.audience)}, as that of ${quote(earlier.trust)}; entries that share the issuer ${quote(shared)} need different audiences`,
    )
  }
}
