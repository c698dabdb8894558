/**
 * iCalendar text (RFC 5545) → days. Only all-day events, once or every year: whatever else would change
 * which days are meant is refused with its line, because a holiday that is silently not one is an outage.
 */

import type { CalendarSettings } from '../policy/settings.ts'

/** Days, or what is wrong with the text as the end of a sentence ("… line 12: …"). */
export type Days =
  | { readonly ranges: CalendarSettings['ranges'] }
  | { readonly line: number; readonly fault: string }

/** A yearly event without end is expanded this far; nobody else sees these years. */
const LAST_YEAR = 2099
const MAX_RANGES = 10_000
const DAY_MS = 86_400_000

/** One content line, unfolded (RFC 5545 §3.1). */
type Line = {
  readonly number: number
  readonly name: string
  readonly parameters: ReadonlyMap<string, string>
  readonly value: string
}

/** A fault at a line; caught where the file is read. */
class Fault extends Error {
  readonly line: number

  constructor({ number }: { readonly number: number }, message: string) {
    super(message)
    this.line = number
  }
}

/** Reads the days of a calendar. Never throws. */
export function daysOf(text: string): Days {
  try {
    const ranges = events(unfold(text)).flatMap(expand)
    return ranges.length <= MAX_RANGES
      ? { ranges }
      : { line: 1, fault: `has more than ${MAX_RANGES} events, repeated ones counted each time` }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { line: error.line, fault: error.message }
  }
}

function unfold(text: string): Line[] {
  const lines: { number: number; content: string }[] = []
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    const last = lines.at(-1)
    if (/^[ \t]/.test(raw) && last) last.content += raw.slice(1)
    else if (raw !== '') lines.push({ number: index + 1, content: raw })
  }
  return lines.map(({ number, content }) => parse(number, content))
}

const CONTENT =
  /^([A-Za-z0-9-]+)((?:;[A-Za-z0-9-]+=(?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)*):(.*)$/s

function parse(number: number, content: string): Line {
  const [, name = '', parameters = '', value = ''] = CONTENT.exec(content) ?? []
  if (name === '') throw new Fault({ number }, 'is not a line of the form NAME:value')
  const pairs = [...parameters.matchAll(/;([^=]+)=((?:"[^"]*"|[^;])*)/g)]
  return {
    number,
    name: name.toUpperCase(),
    parameters: new Map(pairs.map(([, key = '', set = '']) => [key.toUpperCase(), set])),
    value,
  }
}

/** An event's own properties, by name. */
type Event = { readonly begin: Line; readonly properties: ReadonlyMap<string, Line> }

/** Parts of a calendar, and of an event, that say nothing about its days. */
const IRRELEVANT_PARTS = ['VTIMEZONE', 'VALARM', 'STANDARD', 'DAYLIGHT']

/** Properties of the calendar that could mean other days, with the one value that does not. */
const FIXED: Readonly<Record<string, string>> = {
  VERSION: '2.0',
  CALSCALE: 'GREGORIAN',
  METHOD: 'PUBLISH',
}

function events(lines: readonly Line[]): Event[] {
  const found: { begin: Line; properties: Map<string, Line> }[] = []
  const open: string[] = []
  for (const line of lines) {
    const part = line.value.trim().toUpperCase()
    if (line.name === 'BEGIN') {
      checkPart(line, part, open)
      open.push(part)
      if (part === 'VEVENT') found.push({ begin: line, properties: new Map() })
    } else if (line.name === 'END') {
      if (open.pop() !== part) throw new Fault(line, `ends ${part}, which is not what is open`)
    } else {
      checkProperty(line, part, open)
      const event = found.at(-1)
      if (open.at(-1) === 'VEVENT' && event) keep(line, event.properties)
    }
  }
  const last = lines.at(-1) ?? { number: 1 }
  if (open.length > 0) throw new Fault(last, `is the last line, but ${open.at(-1)} is still open`)
  if (lines.length === 0) throw new Fault(last, 'is empty, not BEGIN:VCALENDAR')
  return found
}

function checkProperty(line: Line, value: string, open: readonly string[]): void {
  if (open.length === 0) throw new Fault(line, 'stands outside of BEGIN:VCALENDAR')
  const only = open.length === 1 ? FIXED[line.name] : undefined
  if (only && value !== only) throw new Fault(line, `is ${line.name}:${value}, not ${only}`)
}

function checkPart(line: Line, part: string, open: readonly string[]): void {
  const within = open.at(-1)
  if (within !== undefined && IRRELEVANT_PARTS.includes(part)) return
  const expected = within === undefined ? 'VCALENDAR' : within === 'VCALENDAR' ? 'VEVENT' : null
  if (part !== expected) {
    throw new Fault(line, `begins a ${part}; only events (VEVENT) of one calendar are read`)
  }
}

/** Properties of an event that move, add or drop days in ways that are not read here. */
const REFUSED = ['EXDATE', 'RDATE', 'EXRULE', 'RECURRENCE-ID', 'DURATION']
const READ = ['DTSTART', 'DTEND', 'RRULE']

function keep(line: Line, properties: Map<string, Line>): void {
  if (REFUSED.includes(line.name)) throw new Fault(line, `has ${line.name}, which is not supported`)
  if (line.name === 'STATUS' && line.value.trim().toUpperCase() === 'CANCELLED') {
    throw new Fault(line, 'is of a cancelled event: remove the event')
  }
  if (!READ.includes(line.name)) return
  if (properties.has(line.name)) throw new Fault(line, `is a second ${line.name} of one event`)
  properties.set(line.name, line)
}

function expand({ begin, properties }: Event): { readonly from: string; readonly to: string }[] {
  const start = properties.get('DTSTART')
  if (!start) throw new Fault(begin, 'begins an event without DTSTART')
  const end = properties.get('DTEND')
  const from = day(start)
  const days = end ? (day(end) - from) / DAY_MS : 1
  if (days < 1)
    throw new Fault(end ?? start, 'ends the event before it begins: DTEND is the day after')
  const rule = properties.get('RRULE')
  return (rule ? yearly(rule, from) : [from]).map((first) => ({
    from: iso(first),
    to: iso(first + (days - 1) * DAY_MS),
  }))
}

/** Midnight UTC of an all-day value, milliseconds. */
function day(line: Line): number {
  const { parameters, value } = line
  const [, year, month, date] = /^(\d{4})(\d\d)(\d\d)$/.exec(value.trim()) ?? []
  if (year === undefined || (parameters.get('VALUE') ?? 'DATE').toUpperCase() !== 'DATE') {
    throw new Fault(line, `has the time ${value}; only whole days (VALUE=DATE:20261225) are read`)
  }
  const text = `${year}-${month}-${date}`
  const at = Date.parse(`${text}T00:00:00Z`)
  if (Number.isNaN(at) || iso(at) !== text) throw new Fault(line, `names ${text}, which is no day`)
  return at
}

function iso(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

/** The first days of an event that returns every year. */
function yearly(line: Line, from: number): number[] {
  const rule = new Map(
    line.value.split(';').map((part) => {
      const [name = '', value = ''] = part.split('=')
      return [name.trim().toUpperCase(), value.trim().toUpperCase()]
    }),
  )
  const first = new Date(from)
  const [month, date] = [first.getUTCMonth(), first.getUTCDate()]
  // What merely repeats the date of DTSTART, as calendar programs write it, changes nothing.
  const same: Readonly<Record<string, string>> = { BYMONTH: `${month + 1}`, BYMONTHDAY: `${date}` }
  for (const [name, value] of rule) {
    const understood =
      ['INTERVAL', 'COUNT', 'UNTIL', 'WKST'].includes(name) ||
      (name === 'FREQ' && value === 'YEARLY') ||
      same[name] === value
    if (!understood) {
      throw new Fault(line, `has ${name}=${value}; only FREQ=YEARLY on the same date is read`)
    }
  }
  if (!rule.has('FREQ')) throw new Fault(line, 'has no FREQ')
  const interval = count(line, rule.get('INTERVAL') ?? '1')
  const times = rule.has('COUNT') ? count(line, rule.get('COUNT') ?? '') : Number.POSITIVE_INFINITY
  const until = rule.has('UNTIL')
    ? day({ ...line, value: (rule.get('UNTIL') ?? '').slice(0, 8), parameters: new Map() })
    : Number.POSITIVE_INFINITY
  const found: number[] = []
  for (let year = first.getUTCFullYear(); year <= LAST_YEAR; year += interval) {
    const at = Date.UTC(year, month, date)
    if (at > until || found.length >= times) break
    // The 29th of February returns in leap years only (RFC 5545 §3.3.10).
    if (new Date(at).getUTCDate() === date) found.push(at)
  }
  return found
}

function count(line: Line, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Fault(line, `has the number ${JSON.stringify(text)}`)
  return Number(text)
}
