/**
 * One-time evidence. There is one key space for every carrier and endpoint, so that what was spent as an
 * `assertion` is also spent as a `client_assertion`.
 */

import { hash } from 'node:crypto'
import type { Identity } from './identity.ts'
import { Refusal } from './refusal.ts'
import type { Store } from './store/store.ts'

/** Kept past its end by this, so that no clock difference between replicas revives spent evidence. */
const MARGIN_SECONDS = 60

/**
 * Spends the evidence behind an identity, if its platform mints it for one use. Call it last: a request that
 * is refused must leave its evidence usable, because SDKs send the same assertion twice.
 *
 * @returns what makes it usable again, for a token that in the end does not leave; it never rejects
 * @throws Refusal `evidence_replayed` when it was spent before; `store_unavailable` when nobody can tell
 */
export async function spend(store: Store, identity: Identity): Promise<() => Promise<void>> {
  if (identity.replay.policy === 'reusable') return async () => undefined
  const key = hash('sha256', `${identity.trust}\n${identity.replay.key}`, 'base64url')
  const first = await store.spend(key, identity.expiresAt + MARGIN_SECONDS).catch((cause) => {
    throw new Refusal('store_unavailable', { needed: 'spent evidence' }, { cause })
  })
  if (!first) throw new Refusal('evidence_replayed', { trust: identity.trust })
  // A store that cannot even forget leaves the evidence spent: refused once too often, never once too few.
  return () => store.unspend(key).catch(() => undefined)
}
