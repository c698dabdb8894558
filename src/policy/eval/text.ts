/** Values as an operator reads them: `6h59m`, `10.0.0.0/8`, `ServiceAccount::"…"`. */

import { entityText, quote } from '../scan.ts'
import { type Long, modulo, quotient } from './long.ts'
import { Datetime, Decimal, Duration, Ip, Uid, type Value, ValueSet } from './value.ts'

/** A value in words that Cedar itself would read: extension values as their constructors take them. */
export function written(value: Value): string {
  if (typeof value === 'string') return quote(value)
  if (typeof value !== 'object') return String(value)
  if (value instanceof Uid) return entityText(value)
  if (value instanceof ValueSet) return `[${value.elements.map(written).join(', ')}]`
  if (value instanceof Map) {
    return `{${[...value].map(([name, field]) => `${quote(name)}: ${written(field)}`).join(', ')}}`
  }
  if (value instanceof Decimal) return decimalText(value.units)
  if (value instanceof Duration) return durationText(value.milliseconds)
  if (value instanceof Datetime) return datetimeText(value.milliseconds)
  return value instanceof Ip ? ipText(value) : ''
}

function decimalText(units: Long): string {
  const digits = String(units).replace('-', '').padStart(5, '0')
  return `${units < 0 ? '-' : ''}${digits.slice(0, -4)}.${digits.slice(-4)}`
}

const STEPS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const

function durationText(milliseconds: Long): string {
  let rest = milliseconds < 0 ? -BigInt(milliseconds) : BigInt(milliseconds)
  const parts = STEPS.map(([unit, size]) => {
    const count = rest / BigInt(size)
    rest -= count * BigInt(size)
    return count === 0n ? '' : `${count}${unit}`
  })
  return `${milliseconds < 0 ? '-' : ''}${parts.join('') || '0s'}`
}

/** The last millisecond that a Date can hold, on either side of 1970. */
const LAST_INSTANT = 8.64e15

function datetimeText(milliseconds: Long): string {
  const days = quotient(milliseconds, 86_400_000)
  if (milliseconds < -LAST_INSTANT || milliseconds > LAST_INSTANT)
    return `1970-01-01 and ${days} days`
  const text = new Date(Number(milliseconds)).toISOString()
  return modulo(milliseconds, 1000) === 0 ? text.replace('.000', '') : text
}

function ipText({ version, words, prefix }: Ip): string {
  const size = version === 4 ? 8 : 16
  const parts = words.flatMap((word) =>
    version === 4
      ? [24, 16, 8, 0].map((shift) => String((word >>> shift) & 255))
      : [16, 0].map((shift) => ((word >>> shift) & 0xffff).toString(16)),
  )
  const range = prefix === size * parts.length ? '' : `/${prefix}`
  const text = parts.join(version === 4 ? '.' : ':')
  // The first longest run of zeros is left out (RFC 5952 §4.2).
  const runs = version === 4 ? [] : (text.match(/\b0(?::0)+\b/g) ?? [])
  const longest = runs.toSorted((a, b) => b.length - a.length)[0]
  if (longest === undefined) return text + range
  const at = text.indexOf(longest)
  const [head, tail] = [text.slice(0, at), text.slice(at + longest.length)]
  return `${head.replace(/:$/, '')}::${tail.replace(/^:/, '')}${range}`
}
