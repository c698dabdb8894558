/** Wall clocks: an instant as people in a zone read it. The zone's rules come from the runtime (ICU). */

/** Local time as policies see it. */
export type Moment = {
  /** 1 is Monday, 7 is Sunday. */
  readonly weekday: number
  /** What the clock on the wall shows, as a Cedar duration: `6h59m`. Not the time elapsed since midnight. */
  readonly timeOfDay: string
  /** ISO date, `2026-11-19`. */
  readonly date: string
}

/** Reads the clock of one zone at an instant, epoch seconds. */
export type Clock = (at: number) => Moment

/**
 * The clock of an IANA zone such as `Europe/Berlin`.
 *
 * @throws RangeError when the runtime does not know the zone
 */
export function clock(zone: string): Clock {
  const read = wallClock(zone)
  return (at) => {
    const part = read(at)
    const date = `${(part['year'] ?? '').padStart(4, '0')}-${part['month']}-${part['day']}`
    // Sunday is 0 in JavaScript. Midnight UTC of the local date has the local weekday.
    const weekday = new Date(`${date}T00:00:00Z`).getUTCDay() || 7
    return { weekday, timeOfDay: duration(part), date }
  }
}

/** The parts of a local time, as digits: `year` to `second`. */
export type WallTime = Readonly<Record<string, string>>

/**
 * What the clocks of a zone show at an instant, epoch seconds.
 *
 * @throws RangeError when the runtime does not know the zone
 */
export function wallClock(zone: string): (at: number) => WallTime {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  })
  return (at) => {
    const part: Record<string, string> = {}
    for (const { type, value } of format.formatToParts(at * 1000)) part[type] = value
    return part
  }
}

function duration(part: WallTime): string {
  const [hours, minutes, seconds] = ['hour', 'minute', 'second'].map((unit) => Number(part[unit]))
  const text = `${hours ? `${hours}h` : ''}${minutes ? `${minutes}m` : ''}${seconds ? `${seconds}s` : ''}`
  return text === '' ? '0s' : text
}
