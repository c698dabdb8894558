/** Cedar's `ipaddr`: addresses and ranges of both versions. The two never match each other. */

import { EvaluationError } from './failure.ts'
import { Ip, mistyped, type Value } from './value.ts'

/** The longest text: a full IPv6 address and its prefix. */
const MAX_LENGTH = 43

const [DOT, ZERO] = [0x2e, 0x30]
const GROUP = /^[0-9a-fA-F]{1,4}$/
const PREFIX = /^(?:0|[1-9]\d{0,2})$/

/**
 * Reads `10.0.0.0/8`, `::1` and the like. Without a prefix it is one address. IPv6 with an embedded IPv4
 * part is refused, as Cedar does, and so are octets and prefixes with leading zeros.
 *
 * @throws EvaluationError for anything else
 */
export function ip(text: string): Ip {
  const slash = text.indexOf('/')
  const address = slash === -1 ? text : text.slice(0, slash)
  const version = address.includes(':') ? 6 : 4
  const words = version === 4 ? version4(address) : version6(address)
  const bits = version === 4 ? 32 : 128
  const prefix = slash === -1 ? bits : prefixOf(text.slice(slash + 1), bits)
  if (words === null || prefix === null || text.length > MAX_LENGTH) {
    throw new EvaluationError(`not an IP address or range: ${text.slice(0, MAX_LENGTH)}`)
  }
  return new Ip(version, words, prefix)
}

function prefixOf(text: string, bits: number): number | null {
  const prefix = PREFIX.test(text) ? Number(text) : Number.NaN
  return prefix <= bits ? prefix : null
}

function version4(text: string): number[] | null {
  let [word, octet, digits, dots] = [0, 0, 0, 0]
  for (let at = 0; at <= text.length; at++) {
    const code = at === text.length ? DOT : text.charCodeAt(at)
    if (code === DOT) {
      if (digits === 0 || octet > 255) return null
      word = word * 256 + octet
      dots += 1
      octet = 0
      digits = 0
      continue
    }
    // A leading zero would mean octal to some readers and not to others.
    if (code < ZERO || code > ZERO + 9 || digits === 3 || (digits > 0 && octet === 0)) return null
    octet = octet * 10 + code - ZERO
    digits += 1
  }
  return dots === 4 ? [word] : null
}

function version6(text: string): number[] | null {
  const [head, tail, more] = text.split('::')
  if (head === undefined || more !== undefined) return null
  const before = groups(head)
  const after = groups(tail ?? '')
  if (before === null || after === null) return null
  const missing = 8 - before.length - after.length
  // `::` stands for at least one group; without it none may be missing.
  if (tail === undefined ? missing !== 0 : missing < 1) return null
  const all = [...before, ...Array<number>(missing).fill(0), ...after]
  return [0, 2, 4, 6].map((at) => (all[at] ?? 0) * 0x1_00_00 + (all[at + 1] ?? 0))
}

function groups(text: string): number[] | null {
  if (text === '') return []
  const parts = text.split(':')
  return parts.every((part) => GROUP.test(part))
    ? parts.map((part) => Number.parseInt(part, 16))
    : null
}

/** @throws EvaluationError unless the value is an address or range */
export function asIp(value: Value): Ip {
  if (value instanceof Ip) return value
  throw mistyped('an ipaddr', value)
}

/** Whether every address of `inner` is in `outer`. */
export function isInRange(inner: Ip, outer: Ip): boolean {
  return (
    inner.version === outer.version &&
    inner.prefix >= outer.prefix &&
    outer.words.every((word, index) => {
      const bits = Math.min(32, Math.max(0, outer.prefix - 32 * index))
      return bits === 0 || word >>> (32 - bits) === (inner.words[index] ?? 0) >>> (32 - bits)
    })
  )
}

const LOOPBACK = { 4: ip('127.0.0.0/8'), 6: ip('::1') } as const
const MULTICAST = { 4: ip('224.0.0.0/4'), 6: ip('ff00::/8') } as const

/** Whether every address of it is one of the host itself. */
export function isLoopback(value: Ip): boolean {
  return isInRange(value, LOOPBACK[value.version])
}

/** Whether every address of it is a multicast address. */
export function isMulticast(value: Ip): boolean {
  return isInRange(value, MULTICAST[value.version])
}
