/** Cedar's `datetime` and `duration` (RFC 80): milliseconds in 64 bits, proleptic Gregorian, no leap seconds. */

import { EvaluationError } from './failure.ts'
import { fitted, type Long, modulo, subtract } from './long.ts'
import { Datetime, Duration, mistyped, type Value } from './value.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Milliseconds of the units that a duration can be told in. */
export const UNITS = {
  Milliseconds: 1,
  Seconds: SECOND,
  Minutes: MINUTE,
  Hours: HOUR,
  Days: DAY,
} as const

const DATETIME =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))?(?:Z|([+-])([0-9]{2})([0-9]{2})))?$/

/**
 * Reads `2026-11-19`, `2026-11-19T10:15:00Z` or `2026-11-19T10:15:00.000+0100`.
 *
 * @throws EvaluationError for anything else, and for a day or a time that does not exist
 */
export function datetime(text: string): Datetime {
  const parts = DATETIME.exec(text)
  if (parts === null) throw new EvaluationError('not a datetime')
  const [year, month, day, hour, minute, second, fraction, , offsetHour, offsetMinute] = parts
    .slice(1)
    .map((part) => Number(part ?? 0))
  const local = instant(year ?? 0, month ?? 0, day ?? 0)
  const clock = timeOfDay(hour ?? 0, minute ?? 0, second ?? 0)
  const offset = timeOfDay(offsetHour ?? 0, offsetMinute ?? 0, 0)
  if (local === null || clock === null || offset === null)
    throw new EvaluationError('not a datetime')
  const east = parts[8] === '-' ? -1 : 1
  return new Datetime(local + clock + (fraction ?? 0) - east * offset)
}

/** Midnight UTC of a day; null where the month does not have it. */
function instant(year: number, month: number, day: number): number | null {
  // Date.UTC would take the years 0 to 99 for those of the last century.
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  return exists ? date.getTime() : null
}

function timeOfDay(hours: number, minutes: number, seconds: number): number | null {
  if (hours > 23 || minutes > 59 || seconds > 59) return null
  return hours * HOUR + minutes * MINUTE + seconds * SECOND
}

const DURATION =
  /^(-?)(?=[0-9])(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m(?!s))?(?:([0-9]+)s)?(?:([0-9]+)ms)?$/

/**
 * Reads `1d2h3m4s5ms`: every unit at most once, the greater before the lesser, perhaps after a minus.
 *
 * @throws EvaluationError for anything else, and for what does not fit
 */
export function duration(text: string): Duration {
  const parts = DURATION.exec(text)
  if (parts === null) throw new EvaluationError('not a duration')
  const [days = 0n, hours = 0n, minutes = 0n, seconds = 0n, milliseconds = 0n] = parts
    .slice(2)
    .map((part) => BigInt(part ?? 0))
  const total = (((days * 24n + hours) * 60n + minutes) * 60n + seconds) * 1000n + milliseconds
  const exact = fitted(parts[1] === '-' ? -total : total)
  if (exact === null) throw new EvaluationError('not a duration')
  return new Duration(exact)
}

/** The instant of a datetime. @throws EvaluationError unless the value is one */
export function instantOf(value: Value): Long {
  if (value instanceof Datetime) return value.milliseconds
  throw mistyped('a datetime', value)
}

/** The length of a duration. @throws EvaluationError unless the value is one */
export function lengthOf(value: Value): Long {
  if (value instanceof Duration) return value.milliseconds
  throw mistyped('a duration', value)
}

/** Midnight UTC before an instant, also before 1970. @throws EvaluationError on overflow */
export function toDate(at: Long): Datetime {
  return new Datetime(subtract(at, modulo(at, DAY)))
}

/** The time since midnight UTC. */
export function toTime(at: Long): Duration {
  return new Duration(modulo(at, DAY))
}
