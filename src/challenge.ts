/**
 * Challenges: what a caller has to have its platform sign, so that evidence was made for us and just now. Handing one
 * out costs no row; it is spent like any one-time evidence when it is used.
 */

import { printable, Refusal } from './refusal.ts'
import { stamps } from './stamp.ts'

/** How long a challenge may be answered, seconds. */
export const CHALLENGE_SECONDS = 120

/** Makes and knows the challenges of one broker and its replicas. */
export type Challenges = {
  /** @returns 31 lower-case letters and digits */
  issue(nowSeconds: number): string
  /**
   * Judges a challenge that evidence repeats. Whether it was used before is `replay.ts`'s matter.
   * @returns epoch seconds when it ends
   * @throws Refusal `challenge_unknown`, `challenge_expired`
   */
  check(challenge: string, nowSeconds: number): number
}

/**
 * @param secret that of `keys.secret`: replicas have it in common, and so each other's challenges
 * @param random that many random bytes
 */
export function challenges(secret: string, random: (bytes: number) => Buffer): Challenges {
  const stamped = stamps(secret, 'challenges', random)
  return {
    issue: (nowSeconds) => stamped.make(nowSeconds + CHALLENGE_SECONDS),
    check(challenge, nowSeconds) {
      const until = stamped.read(challenge)
      if (until === null) throw new Refusal('challenge_unknown', { found: printable(challenge) })
      if (nowSeconds >= until) {
        throw new Refusal('challenge_expired', { secondsAgo: nowSeconds - until })
      }
      return until
    },
  }
}
