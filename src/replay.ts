/**
 * One-time evidence. There is one key space for every carrier and endpoint, so that what was spent as an
 * `assertion` is also spent as a `client_assertion`.
 */

import { hash } from 'node:crypto'
import type { Authority } from './authority.ts'
import type { Carrier, Identity } from './identity.ts'
import type { Held } from './possession.ts'
import { Refusal } from './refusal.ts'
import type { Store } from './store/store.ts'

/** Kept past its end by this, so that no clock difference between replicas revives spent evidence. */
export const MARGIN_SECONDS = 60

/** Challenges are ours, whoever's evidence answers them. No trust entry has a name without a colon. */
const CHALLENGES = 'challenge'

/** Proofs are their key's own, whoever's evidence they stand beside. */
const PROOFS = 'proof'

/** What a subject token proved, and where it was shown. */
export type SpendableAuthority = Pick<Authority, 'by' | 'once' | 'expiresAt'> & {
  readonly carrier: Carrier
}

/** What may be good for one token only. */
export type Spendable = {
  /** Null for a caller without evidence of its platform. */
  readonly identity: Identity | null
  readonly held: Held
  /** What the request rests on besides. Left out, or null: nothing. */
  readonly authority?: SpendableAuthority | null
}

type OneTime = { readonly key: string; readonly until: number }

/**
 * Spends what is good for one token: evidence, if the platform mints it for one use, the challenges that it answers,
 * the proof of the key, and an ID-JAG. All or nothing. Call it last: a request that is refused must leave its evidence
 * usable, because SDKs send the same assertion twice.
 *
 * @returns what makes it usable again, for a token that in the end does not leave; it never rejects
 * @throws Refusal `evidence_replayed`, or `proof_replayed`, when any of it was spent before; `store_unavailable`
 *   when nobody can tell
 */
export async function spend(
  store: Pick<Store, 'spend' | 'unspend'>,
  spendable: Spendable,
): Promise<() => Promise<void>> {
  const spent: string[] = []
  const takeBack = async () => {
    // A store that cannot even forget leaves the evidence spent: refused once too often, never once too few.
    for (const key of spent.splice(0)) await store.unspend(key).catch(() => undefined)
  }
  try {
    for (const { key, until } of oneTimeOf(spendable)) {
      const first = await store.spend(key, until + MARGIN_SECONDS).catch((cause) => {
        throw new Refusal('store_unavailable', { needed: 'spent evidence' }, { cause })
      })
      if (!first) throw replayed(key, spendable)
      spent.push(key)
    }
  } catch (refusal) {
    await takeBack()
    throw refusal
  }
  return takeBack
}

/** In one order for everybody: of two requests that share something, the one that gets the first of it gets on. */
function oneTimeOf({ identity, held: { proof }, authority }: Spendable): readonly OneTime[] {
  const all = new Map<string, number>()
  if (identity?.replay.policy === 'once') {
    const { trust, replay, expiresAt } = identity
    all.set(keyOf(trust, replay.key), replay.until ?? expiresAt)
  }
  for (const answered of identity?.challenges ?? []) {
    all.set(keyOf(CHALLENGES, answered.challenge), answered.expiresAt)
  }
  if (proof !== null) all.set(keyOf(PROOFS, proof.key), proof.until)
  const granted = grantKey(authority)
  if (granted !== null && authority) all.set(granted, authority.expiresAt)
  return [...all].map(([key, until]) => ({ key, until })).sort((a, b) => (a.key < b.key ? -1 : 1))
}

/** An ID-JAG is a provider's, as evidence is a trust entry's; no trust entry has the name of a provider. */
function grantKey(authority: Spendable['authority']): string | null {
  return authority && authority.once !== null ? keyOf(authority.by, authority.once) : null
}

function replayed(key: string, { identity, held, authority }: Spendable): Refusal {
  if (held.proof !== null && key === keyOf(PROOFS, held.proof.key)) {
    return new Refusal('proof_replayed', { trust: identity?.trust ?? null })
  }
  if (authority && key === grantKey(authority)) {
    const { by, carrier } = authority
    return new Refusal('evidence_replayed', { carrier, trust: by }, { carrier })
  }
  return new Refusal('evidence_replayed', { trust: identity?.trust ?? null })
}

/**
 * Names one thing in the store, without saying what it is.
 * @param space a trust entry's name, whose evidence it is
 * @param key unique there: `Identity.replay.key`
 */
export function keyOf(space: string, key: string): string {
  return hash('sha256', `${space}\n${key}`, 'base64url')
}
