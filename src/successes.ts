/**
 * When evidence of each trust entry last held, and how relays fare: the one place where that is kept, for `doctor` and
 * metrics. Nothing here decides anything.
 */

import type { Prepared } from './identity.ts'
import { Refusal } from './refusal.ts'
import type { Relay } from './relay.ts'
import { epochSeconds } from './units.ts'
import type { Vouching } from './vouching.ts'

/** How the relay of one format fares. Times in epoch seconds, null for never. */
export type RelayHealth = {
  readonly format: string
  readonly answeredAt: number | null
  /** When asking the platform last failed, by where it was asked, such as a region. */
  readonly failures: ReadonlyMap<string, number>
}

export type Successes = {
  /** Epoch seconds at which evidence of a trust entry last held; null for never. */
  last(trust: string): number | null
  relays(): readonly RelayHealth[]
  /** The same, noted. */
  noting(vouching: Vouching): Vouching
  /** The same, by format, noted. */
  notingRelays(relays: ReadonlyMap<string, Relay>): ReadonlyMap<string, Relay>
}

/** The platform could not be asked. */
const UNAVAILABLE = 'sts_unavailable'

/** @param now milliseconds since the epoch */
export function successes(now: () => number): Successes {
  const held = new Map<string, number>()
  const relays = new Map<string, { answeredAt: number | null; failures: Map<string, number> }>()

  function noted(prepared: Prepared): Prepared {
    return {
      verify(nowSeconds) {
        const identity = prepared.verify(nowSeconds)
        held.set(identity.trust, nowSeconds)
        return identity
      },
    }
  }

  function notedRelay(format: string, relay: Relay): Relay {
    const health = { answeredAt: null as number | null, failures: new Map<string, number>() }
    relays.set(format, health)
    return {
      async prepare(value, nowSeconds) {
        try {
          const prepared = await relay.prepare(value, nowSeconds)
          health.answeredAt = epochSeconds(now())
          return prepared
        } catch (error) {
          if (error instanceof Refusal && error.reason === UNAVAILABLE) {
            // One of the regions of the configuration: others are refused before anybody is asked.
            health.failures.set(String(error.detail['region']), epochSeconds(now()))
          }
          throw error
        }
      },
    }
  }

  return {
    last: (trust) => held.get(trust) ?? null,
    relays: () => [...relays].map(([format, health]) => ({ format, ...health })),
    noting: (vouching) => ({
      prepare(shown, nowSeconds, tell) {
        const prepared = vouching.prepare(shown, nowSeconds, tell)
        return prepared instanceof Promise ? prepared.then(noted) : noted(prepared)
      },
    }),
    notingRelays: (all) =>
      new Map([...all].map(([format, relay]) => [format, notedRelay(format, relay)])),
  }
}
