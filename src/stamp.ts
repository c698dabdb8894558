/**
 * Texts that carry their own proof of origin and their end, so that handing one out costs no row: challenges and
 * nonces. Every replica knows those of the others. Nothing secret is bound to one.
 */

import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

const TIME_BYTES = 5
const RANDOM_BYTES = 5
const MAC_BYTES = 10
const BYTES = TIME_BYTES + RANDOM_BYTES + MAC_BYTES
/** 20 bytes in base 36: letters and digits only, and short enough for Azure's nonce of 32 characters. */
const CHARACTERS = 31
const FORM = /^[0-9a-z]{31}$/

/** Makes and knows stamps of one purpose. */
export type Stamps = {
  /**
   * @param until its end, epoch seconds
   * @returns 31 lower-case letters and digits
   */
  make(until: number): string
  /** @returns the end of a stamp of ours, even one that is over; null for any other text */
  read(stamp: string): number | null
}

/**
 * @param secret that of `keys.secret`: replicas have it in common, and so each other's stamps
 * @param purpose separates the keys of different uses of one secret (RFC 5869 `info`)
 * @param random that many random bytes
 */
export function stamps(secret: string, purpose: string, random: (bytes: number) => Buffer): Stamps {
  const key = Buffer.from(hkdfSync('sha256', secret, '', `countersign ${purpose}`, 32))
  const tag = (body: Buffer) =>
    createHmac('sha256', key).update(body).digest().subarray(0, MAC_BYTES)
  return {
    make(until) {
      const time = Buffer.alloc(TIME_BYTES)
      time.writeUIntBE(until, 0, TIME_BYTES)
      const body = Buffer.concat([time, random(RANDOM_BYTES)])
      return written(Buffer.concat([body, tag(body)]))
    },
    read(stamp) {
      const bytes = unwritten(stamp)
      const body = bytes?.subarray(0, TIME_BYTES + RANDOM_BYTES)
      if (!bytes || !body || !timingSafeEqual(tag(body), bytes.subarray(body.length))) return null
      return body.readUIntBE(0, TIME_BYTES)
    },
  }
}

function written(bytes: Buffer): string {
  return BigInt(`0x${bytes.toString('hex')}`)
    .toString(36)
    .padStart(CHARACTERS, '0')
}

/** One stamp has one reading: what is not exactly as we write it is none of ours. */
function unwritten(stamp: string): Buffer | null {
  if (!FORM.test(stamp)) return null
  let value = 0n
  for (const digit of stamp) value = value * 36n + BigInt(Number.parseInt(digit, 36))
  const bytes = Buffer.from(value.toString(16).padStart(2 * BYTES, '0'), 'hex')
  return bytes.length === BYTES ? bytes : null
}
