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
  return (at) => {
    const { date } = read(at)
    // ISO dates sort as text.
    return settings.ranges.some(({ from, to }) => from <= date && date <= to)
  }
}
