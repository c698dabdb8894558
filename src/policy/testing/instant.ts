/** Instants as people write them in tests: the clock on a wall, and where the wall is. */

import { type WallTime, wallClock } from '../zone.ts'

/** An instant, epoch seconds; or why the text is none, as the end of a sentence. */
export type ReadInstant = { readonly at: number } | { readonly fault: string }

const LOCAL = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d(?::\d\d)?)\[([^\]]+)\]$/
const FIXED = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)$/
const FORM = '2026-11-19T10:15[Europe/Berlin], or with an offset 2026-11-19T09:15:00Z'
/** No zone is further from UTC. */
const FARTHEST = 26 * 3600
const QUARTER = 900

/**
 * Reads `2026-11-19T10:15[Europe/Berlin]`, or an ISO 8601 instant with its offset.
 *
 * A local time that a change of clocks skips, or shows twice, is refused: it would name no instant, or
 * two, and a test would pass or fail by luck.
 */
export function readInstant(text: string): ReadInstant {
  if (FIXED.test(text)) {
    const at = Date.parse(text) / 1000
    return sameDay(text, text.slice(0, 10))
      ? { at }
      : { fault: `is ${text}, a day that is not in the calendar` }
  }
  const [, date, time, zone] = LOCAL.exec(text) ?? []
  if (!date || !time || !zone) return { fault: `is not an instant such as ${FORM}` }
  const wall = Date.parse(`${date}T${time}Z`) / 1000
  if (!sameDay(`${date}T${time}Z`, date))
    return { fault: `is ${date}T${time}, which no clock shows` }
  const offset = offsets(zone)
  if (offset === null) return { fault: `names the time zone ${zone}, which is unknown` }
  const found = candidates(wall, offset)
  const [at, second] = found
  if (at === undefined)
    return { fault: `does not exist: the clocks of ${zone} skip ${time} on ${date}` }
  if (second !== undefined) {
    const both = found.map((each) => new Date(each * 1000).toISOString().replace('.000', ''))
    return {
      fault: `is two instants: the clocks of ${zone} show ${time} twice on ${date}; write ${both.join(' or ')}`,
    }
  }
  return { at }
}

/** The instants at which the wall clock shows `wall`, earliest first. */
function candidates(wall: number, offset: (at: number) => number): number[] {
  const around = new Set<number>()
  for (let step = -FARTHEST; step <= FARTHEST; step += QUARTER * 4) around.add(offset(wall + step))
  return [...around]
    .map((difference) => wall - difference)
    .filter((at) => at + offset(at) === wall)
    .sort((a, b) => a - b)
}

/** How far a zone's clocks are ahead of UTC at an instant, seconds; null for an unknown zone. */
function offsets(zone: string): ((at: number) => number) | null {
  let read: (at: number) => WallTime
  try {
    read = wallClock(zone)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
  return (at) => {
    const { year = '', month, day, hour, minute, second } = read(at)
    const shown = `${year.padStart(4, '0')}-${month}-${day}T${hour}:${minute}:${second}Z`
    return Date.parse(shown) / 1000 - at
  }
}

/** Whether a date survives being read: `2026-02-30` would become the second of March. */
function sameDay(text: string, date: string): boolean {
  const at = Date.parse(text)
  const day = Date.parse(`${date}T00:00:00Z`)
  return Number.isFinite(at) && Number.isFinite(day) && new Date(day).toISOString().startsWith(date)
}
