/** What tokens are for: audiences, their scopes, and what a token for them may say. */

import type { Grade } from '../identity.ts'
import type { Format, Sender } from '../policy/question.ts'
import { canonicalUri } from '../uri.ts'
import { type Findings, quote, type SettingPath } from './findings.ts'
import { checkMap } from './mapping.ts'
import { DEFAULTS, type RawResource } from './schema.ts'
import { boundedSeconds } from './server.ts'
import type { TrustConfig } from './trust.ts'

/** A token claim filled from a verified fact of at least this grade. */
export type ClaimConfig = { readonly fact: string; readonly grade: Grade }

/** One resource server. */
export type ResourceConfig = {
  /** The canonical URI that tokens carry as `aud`. */
  readonly audience: string
  readonly scopes: readonly string[]
  /** The audience groups it is in. */
  readonly groups: readonly string[]
  readonly maxTtlSeconds: number
  readonly format: Format
  /** How strongly its tokens must be bound. */
  readonly sender: Sender
  readonly claims: Readonly<Record<string, ClaimConfig>>
  /** Canonical URIs of the workloads behind it: they may know what its tokens say. */
  readonly servedBy: readonly string[]
  /** By another audience and its scope: the scopes here that it may become. */
  readonly from: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
}

/** Cedar actions with a meaning of their own; a scope of this name would be granted by their permits. */
const OPERATIONS = ['issue', 'exchange', 'delegate']

/** RFC 6749 §3.3 without `*`, which people would take for a pattern. */
const SCOPE = /^[\x21\x23-\x29\x2b-\x5b\x5d-\x7e]{1,256}$/

/** Claims with a meaning of their own (RFC 7519, 7800, 8693, 9068, OpenID Connect Core), and our `lineage`. */
const RESERVED_CLAIMS = new Set(
  (
    'iss sub aud exp nbf iat jti typ alg kid client_id scope scp act may_act cnf lineage sid azp nonce ' +
    'auth_time acr amr at_hash c_hash s_hash events sub_id token_type active authorization_details ' +
    'username roles groups entitlements'
  ).split(' '),
)

/** What an audience is held against. */
export type Around = {
  /** Ours. */
  readonly issuer: string
  readonly trust: readonly TrustConfig[]
  /** Every audience so far. */
  readonly seen: Set<string>
}

const LIVES = { least: '30s', most: '24h', default: DEFAULTS.maxTtl } as const

/** Reads the resources, each by itself and against the other audiences. */
export function readResources(
  resources: readonly RawResource[],
  around: Around,
  find: Findings,
): readonly ResourceConfig[] {
  const read = resources.map((raw, index) =>
    readResource(raw, ['resources', index], { ...around, ttl: LIVES }, find),
  )
  read.forEach((resource, index) => {
    checkMap(resource, ['resources', index], read, find)
  })
  return read
}

/**
 * Reads what tokens may be for; not yet what the scopes of others become there.
 * @param raw without `audience` where that is read elsewhere
 */
export function readResource(
  raw: Partial<RawResource>,
  at: SettingPath,
  around: Around & { readonly ttl: Record<'least' | 'most' | 'default', string> },
  find: Findings,
): ResourceConfig {
  const audience = find.part(raw, at, 'audience') ?? ''
  const fault = audience === '' ? undefined : audienceFault(audience, around)
  if (fault !== undefined) find.error([...at, 'audience'], fault)
  around.seen.add(audience)
  const scopes = find.part(raw, at, 'scopes') ?? []
  checkScopes(scopes, [...at, 'scopes'], find)
  const groups = find.part(raw, at, 'groups') ?? []
  checkGroups(groups, [...at, 'groups'], find)
  const claims = find.part(raw, at, 'claims') ?? {}
  checkClaims(claims, [...at, 'claims'], find)
  const maxTtlSeconds = boundedSeconds(
    find.part(raw, at, 'maxTtl') ?? around.ttl.default,
    around.ttl,
    [...at, 'maxTtl'],
    find,
  )
  const format = find.part(raw, at, 'format') ?? 'jwt'
  const sender = find.part(raw, at, 'sender') ?? 'bearer'
  const from = find.part(raw, at, 'from') ?? {}
  const servedBy = find.part(raw, at, 'servedBy') ?? []
  return { audience, scopes, groups, maxTtlSeconds, format, sender, claims, from, servedBy }
}

function audienceFault(audience: string, { issuer, trust, seen }: Around): string | undefined {
  const canonical = canonicalUri(audience)
  if (canonical === undefined) {
    return `is ${quote(audience)}, not an absolute URI such as https://mcp.example.com, without fragment and user name`
  }
  if (canonical !== audience)
    return `must be written ${quote(canonical)}: audiences are compared byte by byte`
  if (audience === issuer) return 'is the issuer; a token for it would be evidence for this server'
  const entry = trust.find(({ audiences }) => audiences.includes(audience))
  if (entry !== undefined) {
    return `is the audience of ${quote(entry.trust)}; a token for this resource would be evidence for this server`
  }
  return seen.has(audience) ? `is ${quote(audience)}, as an earlier resource's is` : undefined
}

function checkScopes(scopes: readonly string[], at: SettingPath, find: Findings): void {
  scopes.forEach((scope, index) => {
    if (OPERATIONS.includes(scope)) {
      find.error([...at, index], `is ${quote(scope)}, which names an operation in policies`)
    } else if (scope.includes('*')) {
      find.error(
        [...at, index],
        `is ${quote(scope)}; scopes are compared exactly, and "*" is not accepted`,
      )
    } else if (!SCOPE.test(scope)) {
      find.error(
        [...at, index],
        `is ${quote(scope)}, not a scope: printable ASCII without space, " and \\`,
      )
    } else if (scopes.indexOf(scope) < index) {
      find.error([...at, index], `is ${quote(scope)}, which is listed already`)
    }
  })
}

function checkGroups(groups: readonly string[], at: SettingPath, find: Findings): void {
  groups.forEach((group, index) => {
    if (groups.indexOf(group) < index) {
      find.error([...at, index], `is ${quote(group)}, which is listed already`)
    }
  })
}

function checkClaims(claims: ResourceConfig['claims'], at: SettingPath, find: Findings): void {
  for (const name of Object.keys(claims)) {
    if (!RESERVED_CLAIMS.has(name)) continue
    find.error([...at, name], 'is a claim with a meaning of its own; choose another name', 'key')
  }
}
