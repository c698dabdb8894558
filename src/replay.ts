/**
 * One-time evidence. There is one key space for every carrier and endpoint, so that what was spent as an
 * `assertion` is also spent as a `client_assertion`.
 */

import { createHash } from 'node:crypto'
import type { Identity } from './identity.ts'
import { Refusal } from './refusal.ts'
import type { Store } from './store/store.ts'

/** Kept past its end by this, so that no clock difference between replicas revives spent evidence. */
const MARGIN_SECONDS = 60

/**
 * Spends the evidence behind an identity, if its platform mints it for one use. Call it last: a request that
 * is refused must leave its evidence usable, because SDKs send the same assertion twice.
 *
 * @throws Refusal `evidence_replayed` when it was spent before; `store_unavailable` when nobody can tell
 */
export async function spend(store: Store, identity: Identity): Promise<void> {
  if (identity.replay.policy === 'reusable') return
  const key = createHash('sha256')
    .update(`${identity.trust}\n${identity.replay.key}`)
    .digest('base64url')
  const first = await store.spend(key, identity.expiresAt + MARGIN_SECONDS).catch((cause) => {
    throw new Refusal('store_unavailable', { needed: 'spent evidence' }, { cause })
  })
  if (!first) throw new Refusal('evidence_replayed', { trust: identity.trust })
}
