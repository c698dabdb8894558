/**
 * Nonces for DPoP proofs (RFC 9449 §8, §9): a proof that has one was made after we gave it, not in advance. They cost no
 * row, and every replica takes those of the others. A nonce may be used again while it lasts; what is one-time is the proof.
 */

import { Refusal } from './refusal.ts'
import { stamps } from './stamp.ts'

/** How long a nonce is offered, seconds; the one before it is taken for as long again. */
const OFFERED_SECONDS = 60
const LIFE_SECONDS = 2 * OFFERED_SECONDS

/** Makes and knows the nonces of one server and its replicas. */
export type Nonces = {
  /** The nonce to offer now: the same for a while, so that a client rarely meets a new one. */
  offer(nowSeconds: number): string
  /**
   * Judges the nonce of a proof.
   * @param nonce as unverified as the proof; undefined where it has none
   * @throws Refusal `nonce_missing`, `nonce_stale`, which are answered with the nonce to use
   */
  check(nonce: string | undefined, nowSeconds: number): void
}

/**
 * @param secret that of `keys.secret`, or of a resource server: replicas have it in common, and so each other's nonces
 * @param random that many random bytes
 */
export function nonces(secret: string, random: (bytes: number) => Buffer): Nonces {
  const stamped = stamps(secret, 'DPoP nonces', random)
  let offered = { nonce: '', until: 0 }
  return {
    offer(nowSeconds) {
      // Also where the clock was set back: what ends later than it may is not offered.
      const left = offered.until - nowSeconds
      if (left <= OFFERED_SECONDS || left > LIFE_SECONDS) {
        const until = nowSeconds + LIFE_SECONDS
        offered = { nonce: stamped.make(until), until }
      }
      return offered.nonce
    },
    check(nonce, nowSeconds) {
      if (nonce === undefined) throw new Refusal('nonce_missing')
      const until = nonce === offered.nonce ? offered.until : stamped.read(nonce)
      if (until === null) throw new Refusal('nonce_stale', { problem: 'it is none of ours' })
      if (nowSeconds >= until) {
        throw new Refusal('nonce_stale', { secondsAgo: nowSeconds - until })
      }
    },
  }
}
