/** What an instant is under a Generation: local times and named days, as policies read them. */

import type { Calendar } from './calendar.ts'
import { duration } from './eval/time.ts'
import { Datetime, type Fields, type Value } from './eval/value.ts'
import type { Clock } from './zone.ts'

/** The fields of `context` that follow from the instant alone. */
export type Instant = { readonly time: Datetime; readonly now: Fields; readonly calendar: Fields }

/** Reads every clock and calendar at an instant, epoch seconds. */
export type Moments = (at: number) => Instant

/** Compiles clocks and calendars. The last instant is remembered: thousands of requests share a second. */
export function moments(
  clocks: ReadonlyMap<string, Clock>,
  calendars: ReadonlyMap<string, Calendar>,
): Moments {
  let last: { readonly at: number; readonly instant: Instant } | null = null
  return (at) => {
    if (last?.at === at) return last.instant
    const now = new Map([...clocks].map(([zone, read]): [string, Value] => [zone, local(read, at)]))
    const calendar = new Map(
      [...calendars].map(([name, includes]): [string, Value] => [name, includes(at)]),
    )
    const instant = { time: new Datetime(at * 1000), now, calendar }
    last = { at, instant }
    return instant
  }
}

function local(read: Clock, at: number): Fields {
  const { weekday, timeOfDay, date } = read(at)
  return new Map<string, Value>([
    ['weekday', weekday],
    ['timeOfDay', duration(timeOfDay)],
    ['date', date],
  ])
}
