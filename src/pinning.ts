/**
 * Platform tokens pinned to the key that they are first used with: whoever copies one cannot use the copy. Where two
 * race, one of them wins and the other is an alarm; nobody can tell from here which of them is the owner.
 */

import type { PinPolicy, TrustConfig } from './config/trust.ts'
import type { Identity } from './identity.ts'
import { type Confirmation, provedKey } from './possession.ts'
import { few, printable, Refusal } from './refusal.ts'
import { keyOf, MARGIN_SECONDS, type Spendable, spend } from './replay.ts'
import type { Store } from './store/store.ts'

/** Who uses a token: the decision id, epoch seconds, and the caller's address, where it is known. */
export type Use = {
  readonly id: string
  readonly at: number
  readonly sourceIp: string | null
}

/**
 * Spends what is good for one token, and pins what is not. Call it last.
 * @param identity null for a caller without evidence of its platform
 * @returns as `spend` in `replay.ts`
 * @throws Refusal those of `spend`; `evidence_key_mismatch`, `evidence_key_missing`
 */
export type Spend = (spendable: Spendable, use: Use) => Promise<() => Promise<void>>

/** What became of a token of an entry that pins: first use with a key, first use without, another key than then. */
export const PIN_OUTCOMES = ['pinned', 'keyless', 'mismatched'] as const
export type PinOutcome = (typeof PIN_OUTCOMES)[number]

/** One side of a pin, as the store keeps it and the operator reads it. Public facts: a thumbprint is no secret. */
type Side = {
  readonly key: string
  /** The decision id: the audit log has all the rest. */
  readonly request: string
  readonly at: string
  readonly sourceIp: string
  readonly workload: string
  /** Pod or instance, node and so on, as lineage names them. */
  readonly origin: readonly string[]
}

const NO_KEY = 'none'
const UNKNOWN = 'unknown'

/** By trust entry; those that do not pin are left out. */
export function pinPolicies(config: {
  readonly trust: readonly Pick<TrustConfig, 'trust' | 'pin'>[]
}): ReadonlyMap<string, PinPolicy> {
  const pinning = config.trust.filter(({ pin }) => pin !== 'off')
  return new Map(pinning.map(({ trust, pin }) => [trust, pin]))
}

/**
 * @param policies of the trust entries that pin; those left out do not, and cost nothing
 * @param count hears what became of each use that set a pin, or failed at one
 */
export function spending(
  store: Pick<Store, 'spend' | 'unspend' | 'pin'>,
  policies: ReadonlyMap<string, PinPolicy>,
  count: (trust: string, outcome: PinOutcome) => void,
): Spend {
  return (spendable, use) => {
    const { identity } = spendable
    const policy = identity === null ? undefined : policies.get(identity.trust)
    // What is good for one token is of no use to a second caller, whatever its key.
    if (identity === null || policy === undefined || identity.replay.policy === 'once') {
      return spend(store, spendable)
    }
    return pinned(store, policy, { ...spendable, identity, use }, count)
  }
}

type Shown = Spendable & { readonly identity: Identity; readonly use: Use }

async function pinned(
  store: Pick<Store, 'spend' | 'unspend' | 'pin'>,
  policy: PinPolicy,
  shown: Shown,
  count: (trust: string, outcome: PinOutcome) => void,
): Promise<() => Promise<void>> {
  const { identity, held } = shown
  const { trust } = identity
  if (policy === 'required' && provedKey(held) === null) {
    throw new Refusal('evidence_key_missing', { trust, workload: identity.uri })
  }
  const now = sideOf(shown)
  const takeBack = await spend(store, shown)
  try {
    const first = await firstOf(store, identity, now)
    // First used without a key: never pinned, or whoever copied the token could lock its owner out later.
    if (first.key !== NO_KEY && first.key !== now.key) {
      count(trust, 'mismatched')
      throw new Refusal('evidence_key_mismatch', { trust, ...bothSides(first, now) })
    }
    if (first.request === now.request) count(trust, first.key === NO_KEY ? 'keyless' : 'pinned')
  } catch (refusal) {
    await takeBack()
    throw refusal
  }
  // The pin stays even if the token does not leave in the end. The same caller with the same key tries again and
  // finds its own; taken back, it would also be gone for a request of the same key that has succeeded since.
  return takeBack
}

/** Whoever used the token first, which may be this very use. */
async function firstOf(
  store: Pick<Store, 'pin'>,
  { trust, replay, expiresAt }: Identity,
  now: Side,
): Promise<Side> {
  const until = (replay.until ?? expiresAt) + MARGIN_SECONDS
  const holder = await store
    .pin(keyOf(trust, replay.key), JSON.stringify(now), until)
    .catch((cause) => {
      throw new Refusal('store_unavailable', { needed: 'pinned evidence' }, { cause })
    })
  return JSON.parse(holder) as Side
}

function sideOf({ identity, held, use }: Shown): Side {
  return {
    key: keyName(provedKey(held)),
    request: use.id,
    at: new Date(use.at * 1000).toISOString(),
    sourceIp: use.sourceIp ?? UNKNOWN,
    workload: printable(identity.uri),
    origin: few(identity.lineage.map(printable)),
  }
}

function keyName(confirmation: Confirmation | null): string {
  if (confirmation === null) return NO_KEY
  return 'jkt' in confirmation ? `jkt:${confirmation.jkt}` : `x5t#S256:${confirmation['x5t#S256']}`
}

/** For the operator, who has to find out which of the two is the thief. The caller hears none of it. */
function bothSides(first: Side, now: Side) {
  return {
    firstKey: first.key,
    firstRequest: first.request,
    firstAt: first.at,
    firstSourceIp: first.sourceIp,
    firstWorkload: first.workload,
    firstOrigin: first.origin,
    key: now.key,
    at: now.at,
    sourceIp: now.sourceIp,
    workload: now.workload,
    origin: now.origin,
  }
}
