/**
 * Who may vouch for workloads. Each entry is one kind of attestor; together they must leave no assertion
 * for which two entries could answer, nor one that another server or resource would also accept.
 */

import type { AttestorKind, EntityRef, Selection } from '../identity.ts'
import { canonicalUri } from '../uri.ts'
import { type Findings, quote, type SettingPath } from './findings.ts'
import { DEFAULTS, type RawTrustCommon } from './schema.ts'
import { isTree } from './shape.ts'

/**
 * Whether platform tokens are pinned to the first key that they are used with: not at all; where that use proves one;
 * or always, and no use without one.
 */
export type PinPolicy = 'off' | 'when-offered' | 'required'

/** One trust entry, ready for its kind's `create`. */
export type TrustConfig = {
  readonly kind: string
  /** Unique: `<kind>:<name>`. */
  readonly trust: string
  /** The entity `Environment::"…"` that holds the anchor, by id; null for none. */
  readonly environment: string | null
  /** The sole `aud` accepted; the first of `audiences`. */
  readonly audience: string
  /** Every `aud` accepted, of which a token names one: several only where the platform fixes them. */
  readonly audiences: readonly string[]
  readonly pin: PinPolicy
  /** The exact `iss` values that select this entry. */
  readonly issuers: readonly string[]
  /** What tells it from entries of the same issuer and audience; absent where nothing does. */
  readonly selection?: Selection
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
  const { environment, audience, pin = DEFAULTS.pin, ...settings } = written as RawTrustCommon
  row.check(settings, find.below(at))
  const fixed = row.audiences?.(settings)
  const audiences = fixed ?? [audience ?? issuer]
  const isForeign = audience !== undefined && row.fixesAudience?.(settings, audience) === true
  const fault =
    fixed === undefined ? audienceFault(audience ?? issuer, issuer) : fixedFault(audience)
  if (fault !== undefined && !isForeign) find.error([...at, 'audience'], fault)
  const selection = row.selection?.(settings)
  if (pin !== 'off' && row.oneTime?.(settings) === true) {
    find.error(
      [...at, 'pin'],
      `is ${quote(pin)}, but tokens of this entry are good for one use only`,
    )
  }
  return {
    kind: row.kind,
    trust: `${row.kind}:${row.name(settings)}`,
    environment: environment ?? null,
    audience: audiences[0] ?? issuer,
    audiences,
    pin,
    issuers: row.issuers(settings),
    ...(selection && { selection }),
    anchor: row.anchor(settings),
    settings,
  }
}

function fixedFault(audience: string | undefined): string | undefined {
  return audience === undefined ? undefined : 'has no meaning here: this kind has `audiences`'
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

/**
 * Judges an issuer that an entry has read from its platform, as the configuration would have judged it. One that is
 * written down comes first: a platform cannot take over what the operator gave to another entry.
 *
 * @returns what is wrong with it, to complete "the issuer …"; null when the entry may answer for it
 */
export function issuerFault(
  entry: TrustConfig,
  issuer: string,
  own: string,
  entries: readonly TrustConfig[],
): string | null {
  if (issuer === own) return OWN_ISSUER
  const others = entries.filter((other) => other !== entry && other.issuers.includes(issuer))
  const faults = others.map((other) => clash(entry, other, issuer)).filter((each) => each !== null)
  return faults[0]?.message ?? null
}

const OWN_ISSUER = 'is our own issuer: this server cannot vouch for its own callers'

/** What we sign ourselves vouches for nobody: a token could then renew itself. */
function refuseOwnIssuer(entry: TrustConfig, own: string, at: SettingPath, find: Findings): void {
  if (entry.issuers.includes(own)) find.error([...at, 'issuer'], OWN_ISSUER)
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
  const fault = shared === undefined ? unknownClash(later, earlier) : clash(later, earlier, shared)
  if (fault !== null) find.error([...at, fault.setting], fault.message)
}

type Clash = { readonly setting: 'issuer' | 'audience' | 'require'; readonly message: string }

/** Why two entries cannot both answer for an issuer. */
function clash(later: TrustConfig, earlier: TrustConfig, shared: string): Clash | null {
  const name = quote(earlier.trust)
  if (later.kind !== earlier.kind) {
    // Two kinds read the same token differently; whose rules hold must not be the caller's choice.
    const message = `is ${quote(shared)}, which ${name} answers for; two kinds cannot share an issuer`
    return { setting: 'issuer', message }
  }
  const both = later.audiences.find((audience) => earlier.audiences.includes(audience))
  if (both === undefined) return null
  if (later.selection && earlier.selection) {
    const message = overlap(later.selection, earlier.selection)
    const entries = `${quote(later.trust)} and ${name} share the issuer ${quote(shared)} and the audience ${quote(both)}`
    return message === null ? null : { setting: 'require', message: `${message}: ${entries}` }
  }
  const message = `is ${quote(both)}, as that of ${name}; entries that share the issuer ${quote(shared)} need different audiences`
  return { setting: 'audience', message }
}

/**
 * Why some token could be for two entries of one issuer and audience; null when none can. One key source, or the
 * caller would choose by claims that nobody has verified whose keys are tried; and one claim that both require,
 * without a value in common, since anything less would have to be believed of tokens nobody has seen.
 */
function overlap(later: Selection, earlier: Selection): string | null {
  if (later.keySource !== earlier.keySource) return 'tells nothing apart without the same jwks'
  const isDisjoint = Object.entries(later.requires).some(([claim, values]) => {
    const others = earlier.requires[claim]
    return others !== undefined && !values.some((value) => others.includes(value))
  })
  return isDisjoint ? null : 'needs a claim whose values no other entry has'
}

/** Two issuers that are not known yet may turn out to be the same. */
function unknownClash(later: TrustConfig, earlier: TrustConfig): Clash | null {
  if (later.issuers.length > 0 || earlier.issuers.length > 0) return null
  const both = later.audiences.find((audience) => earlier.audiences.includes(audience))
  if (both === undefined) return null
  const message = `is ${quote(both)}, as that of ${quote(earlier.trust)}; entries whose issuer is read from the API server need different audiences`
  return { setting: 'audience', message }
}
