/**
 * Challenges: what a caller has to have its platform sign, so that evidence was made for us and just now. A
 * challenge carries its own proof of origin, so that handing one out costs no row; it is spent like any
 * one-time evidence when it is used. Nothing secret is bound to it.
 */

import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { printable, Refusal } from './refusal.ts'

/** How long a challenge may be answered, seconds. */
export const CHALLENGE_SECONDS = 120

const TIME_BYTES = 5
const RANDOM_BYTES = 5
const MAC_BYTES = 10
/** 20 bytes in base 36: letters and digits only, and short enough for Azure's nonce of 32 characters. */
const CHARACTERS = 31
const FORM = /^[0-9a-z]{31}$/

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
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'countersign challenges', 32))
  const tag = (body: Buffer) =>
    createHmac('sha256', key).update(body).digest().subarray(0, MAC_BYTES)
  return {
    issue(nowSeconds) {
      const time = Buffer.alloc(TIME_BYTES)
      time.writeUIntBE(nowSeconds + CHALLENGE_SECONDS, 0, TIME_BYTES)
      const body = Buffer.concat([time, random(RANDOM_BYTES)])
      return written(Buffer.concat([body, tag(body)]))
    },
    check(challenge, nowSeconds) {
      const bytes = read(challenge)
      const body = bytes?.subarray(0, TIME_BYTES + RANDOM_BYTES)
      if (!bytes || !body || !timingSafeEqual(tag(body), bytes.subarray(body.length))) {
        throw new Refusal('challenge_unknown', { found: printable(challenge) })
      }
      const until = body.readUIntBE(0, TIME_BYTES)
      if (nowSeconds >= until) {
        throw new Refusal('challenge_expired', { secondsAgo: nowSeconds - until })
      }
      return until
    },
  }
}

function written(bytes: Buffer): string {
  return BigInt(`0x${bytes.toString('hex')}`)
    .toString(36)
    .padStart(CHARACTERS, '0')
}

/** One challenge has one reading: what is not exactly as we write it is none of ours. */
function read(challenge: string): Buffer | null {
  if (!FORM.test(challenge)) return null
  let value = 0n
  for (const digit of challenge) value = value * 36n + BigInt(Number.parseInt(digit, 36))
  const bytes = Buffer.from(
    value.toString(16).padStart(2 * (TIME_BYTES + RANDOM_BYTES + MAC_BYTES), '0'),
    'hex',
  )
  return bytes.length === TIME_BYTES + RANDOM_BYTES + MAC_BYTES ? bytes : null
}
