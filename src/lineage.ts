/**
 * The names that a revocation can match: short hashes of what a token came from and of whom it names. A token
 * carries most of them in its `lineage` claim; the others follow from its claims.
 */

import { hash } from 'node:crypto'
import type { Identity } from './identity.ts'
import type { RevocationKind } from './store/store.ts'
import { PERSON } from './uri.ts'

/**
 * The name of something: 16 characters, 96 bits of SHA-256. Enough that no two meet, short enough that a chain fits
 * into a token.
 * @param origin with its kind before it, such as `pod:prod-eu/<uid>`
 */
export function shortHash(origin: string): string {
  return hash('sha256', origin, 'base64url').slice(0, 16)
}

/** The name of what a revocation is about: a URI, a trust entry, `<trust>/<replay key>`, a `jti` or a `kid`. */
export function nameOf(kind: RevocationKind, target: string): string {
  return shortHash(`${kind}:${target}`)
}

/** Evidence as `Identity.lineage` holds it, unhashed. */
export function evidenceOrigin(trust: string, replayKey: string): string {
  return `evidence:${trust}/${replayKey}`
}

/** What is proved of a party, as far as revocations look at it. */
export type Origin = Pick<Identity, 'uri' | 'trust' | 'replay' | 'lineage'>

/** What a token says of its origin: the evidence, the trust entry that vouched, and what the platform named. */
export function lineageOf({ trust, replay, lineage }: Omit<Origin, 'uri'>): readonly string[] {
  return [evidenceOrigin(trust, replay.key), `trust:${trust}`, ...lineage].map(shortHash)
}

/**
 * The same for an operator: whatever is evidence by its name alone, for its key can be a signature that no log may
 * hold, and everything else in words.
 */
export function toldOrigins({ trust, replay, lineage }: Omit<Origin, 'uri'>): {
  readonly evidence: readonly string[]
  readonly lineage: readonly string[]
} {
  const isEvidence = (origin: string) => origin.startsWith('evidence:')
  const shown = [evidenceOrigin(trust, replay.key), ...lineage.filter(isEvidence)]
  const others = [`trust:${trust}`, ...lineage.filter((origin) => !isEvidence(origin))]
  return { evidence: shown.map(shortHash), lineage: others }
}

/** Every name by which the tokens of a party can be refused before they are issued. Hashed as it is asked for. */
export function* namesOfIdentity(identity: Origin): Iterable<string> {
  const { uri } = identity
  yield nameOf('sub', uri)
  yield nameOf('actor', uri)
  yield* lineageOf(identity)
}

/**
 * Every name by which a token can be revoked. Hashed as it is asked for.
 * @param claims of one of our access tokens, verified
 * @param kid of the key that signed it, which may be revoked too; null where that is judged elsewhere
 */
export function* namesOf(
  claims: Readonly<Record<string, unknown>>,
  kid: string | null,
): Iterable<string> {
  const { jti, sub, client_id: clientId, lineage } = claims
  if (typeof jti === 'string') yield nameOf('token', jti)
  if (typeof sub === 'string') yield nameOf('sub', sub)
  // A workload that handed on a token of its own was the first to act, and is in no `act`.
  for (const uri of new Set([clientId, ...actorsOf(claims), sub])) {
    if (typeof uri === 'string' && !uri.startsWith(PERSON)) yield nameOf('actor', uri)
  }
  if (Array.isArray(lineage)) {
    for (const name of lineage) if (typeof name === 'string') yield name
  }
  if (kid !== null) yield nameOf('key', kid)
}

/** The current actor, and in it the prior ones (RFC 8693 §4.1). */
function* actorsOf(claims: object): Iterable<unknown> {
  for (let within = claims; 'act' in within; ) {
    const { act } = within
    if (typeof act !== 'object' || act === null) return
    if ('sub' in act) yield act.sub
    within = act
  }
}
