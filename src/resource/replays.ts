/** Proofs that a resource server has seen (RFC 9449 §11.1): each is good for one request. */

import { hash } from 'node:crypto'

/** Remembers proofs until they are over. Replicas that share one remember each other's. */
export type Replays = {
  /**
   * @param proof names a proof of one key
   * @param until epoch seconds from which on it would be refused anyway
   * @returns whether it was not seen before
   */
  isFirst(proof: string, until: number, nowSeconds: number): boolean | Promise<boolean>
}

/** Proofs of a minute and a half, at 700 requests a second; about 10 MB. */
const SIZE = 65_536

/**
 * A memory of this process alone.
 * @param size how many proofs are remembered; of more, the oldest are forgotten and could be used again
 */
export function replayMemory(size: number = SIZE): Replays {
  const seen = new Map<string, number>()
  return {
    isFirst(proof, until, now) {
      const key = hash('sha256', proof, 'base64url')
      if ((seen.get(key) ?? 0) > now) return false
      // In the order in which they came, so that what is over is in front, but for differing clocks.
      for (const [oldest, end] of seen) {
        if (end > now && seen.size < size) break
        seen.delete(oldest)
      }
      seen.delete(key)
      seen.set(key, until)
      return true
    },
  }
}
