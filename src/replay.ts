/**
 * One-time evidence. There is one key space for every carrier and endpoint, so that what was spent as an
 * `assertion` is also spent as a `client_assertion`.
 */

import { hash } from 'node:crypto'
import type { Identity } from './identity.ts'
import type { Held } from './possession.ts'
import { Refusal } from './refusal.ts'
import type { Store } from './store/store.ts'

/** Kept past its end by this, so that no clock difference between replicas revives spent evidence. */
export const MARGIN_SECONDS = 60

/** Challenges are ours, whoever's evidence answers them. No trust entry has a name without a colon. */
const CHALLENGES = 'challenge'

/** Proofs are their key's own, whoever's evidence they stand beside. */
const PROOFS = 'proof'

type OneTime = { readonly key: string; readonly until: number }

/**
 * Spends what is good for one token: evidence, if the platform mints it for one use, the challenges that it answers,
 * and the proof of the key. All or nothing. Call it last: a request that is refused must leave its evidence
 * usable, because SDKs send the same assertion twice.
 *
 * @param identity null for a caller without evidence of its platform
 * @returns what makes it usable again, for a token that in the end does not leave; it never rejects
 * @throws Refusal `evidence_replayed`, or `proof_replayed`, when any of it was spent before; `store_unavailable`
 *   when nobody can tell
 */
export async function spend(
  store: Pick<Store, 'spend' | 'unspend'>,
  identity: Identity | null,
  held: Held,
): Promise<() => Promise<void>> {
  const proof = held.proof && keyOf(PROOFS, held.proof.key)
  const spent: string[] = []
  const takeBack = async () => {
    // A store that cannot even forget leaves the evidence spent: refused once too often, never once too few.
    for (const key of spent.splice(0)) await store.unspend(key).catch(() => undefined)
  }
  try {
    for (const { key, until } of oneTimeOf(identity, held)) {
      const first = await store.spend(key, until + MARGIN_SECONDS).catch((cause) => {
        throw new Refusal('store_unavailable', { needed: 'spent evidence' }, { cause })
      })
      if (!first) {
        const reason = key === proof ? 'proof_replayed' : 'evidence_replayed'
        throw new Refusal(reason, { trust: identity?.trust ?? null })
      }
      spent.push(key)
    }
  } catch (refusal) {
    await takeBack()
    throw refusal
  }
  return takeBack
}

/** In one order for everybody: of two requests that share something, the one that gets the first of it gets on. */
function oneTimeOf(identity: Identity | null, { proof }: Held): readonly OneTime[] {
  const all = new Map<string, number>()
  if (identity?.replay.policy === 'once') {
    const { trust, replay, expiresAt } = identity
    all.set(keyOf(trust, replay.key), replay.until ?? expiresAt)
  }
  for (const answered of identity?.challenges ?? []) {
    all.set(keyOf(CHALLENGES, answered.challenge), answered.expiresAt)
  }
  if (proof !== null) all.set(keyOf(PROOFS, proof.key), proof.until)
  return [...all].map(([key, until]) => ({ key, until })).sort((a, b) => (a.key < b.key ? -1 : 1))
}

/**
 * Names one thing in the store, without saying what it is.
 * @param space a trust entry's name, whose evidence it is
 * @param key unique there: `Identity.replay.key`
 */
export function keyOf(space: string, key: string): string {
  return hash('sha256', `${space}\n${key}`, 'base64url')
}
