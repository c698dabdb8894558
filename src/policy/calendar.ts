/** Named days: holidays, freezes. */

import type { CalendarSettings } from './settings.ts'
import { clock } from './zone.ts'

/** Whether an instant (epoch seconds) falls on a day of the calendar. */
export type Calendar = (at: number) => boolean

/**
 * Compiles a calendar. Its days begin and end at local midnight of its own zone; ranges include both ends.
 *
 * @throws RangeError when the runtime does not know the zone
 */
export function calendar(settings: CalendarSettings): Calendar {
  const read = clock(settings.zone)
  const days = disjoint(settings.ranges)
  return (at) => {
    const { date } = read(at)
    // The last range that has begun is the only one that can hold the day. ISO dates sort as text.
    let [low, high] = [0, days.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((days[middle]?.from ?? '') <= date) low = middle + 1
      else high = middle
    }
    return date <= (days[low - 1]?.to ?? '')
  }
}

type Range = CalendarSettings['ranges'][number]

/** The same days in ranges that do not overlap, in order. */
function disjoint(ranges: readonly Range[]): Range[] {
  const merged: Range[] = []
  for (const range of ranges.toSorted((a, b) => (a.from < b.from ? -1 : 1))) {
    const last = merged.at(-1)
    if (!last || range.from > last.to) merged.push(range)
    else if (range.to > last.to) merged[merged.length - 1] = { from: last.from, to: range.to }
  }
  return merged
}
