/** Named days of the configuration: written out, or in an iCalendar file beside it. */

import type { CalendarSettings } from '../policy/settings.ts'
import { type Findings, quote, type SettingPath } from './findings.ts'
import { daysOf } from './icalendar.ts'
import type { RawCalendar } from './schema.ts'
import type { Outside } from './secrets.ts'
import { checkZone } from './zones.ts'

type Ranges = CalendarSettings['ranges']

/**
 * Reads one calendar; its file, where it has one, at once: a calendar changes with the configuration.
 * @param zones those of `policies.zones`; where it is but one, it is the calendar's too
 */
export function readCalendar(
  name: string,
  raw: RawCalendar,
  zones: readonly string[],
  at: SettingPath,
  find: Findings,
  outside: Outside,
): CalendarSettings {
  const zone = readZone(raw, zones, at, find)
  const dates = find.part(raw, at, 'dates')
  const file = find.part(raw, at, 'file')
  if (find.sound(at) && (dates === undefined) === (file === undefined)) {
    find.error(at, 'must have exactly one of dates, file')
  }
  const written = (dates ?? []).map((text, index) => readRange(text, [...at, 'dates', index], find))
  const ranges = file === undefined ? written : readFile(file, [...at, 'file'], find, outside)
  return { name, zone, ranges }
}

function readZone(
  raw: RawCalendar,
  zones: readonly string[],
  at: SettingPath,
  find: Findings,
): string {
  const [only, another] = new Set(zones)
  const zone = find.part(raw, at, 'zone')
  if (zone !== undefined) checkZone(zone, [...at, 'zone'], find)
  else if (find.sound(at) && (only === undefined || another !== undefined)) {
    find.error([...at, 'zone'], 'is required where policies.zones does not have just one')
  }
  return zone ?? only ?? 'UTC'
}

function readFile(file: string, at: SettingPath, find: Findings, outside: Outside): Ranges {
  const text = textOf(file, outside)
  if ('fault' in text) {
    find.error(at, `names the file ${quote(file)}, which cannot be read (${text.fault})`)
    return []
  }
  const days = daysOf(text.value)
  if ('ranges' in days) return days.ranges
  find.error(at, `names the file ${quote(file)}, whose line ${days.line} ${days.fault}`)
  return []
}

function textOf(
  file: string,
  { readFile }: Outside,
): { readonly value: string } | { readonly fault: string } {
  try {
    return { value: readFile(file) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    return { fault: typeof code === 'string' ? code : 'no reason given' }
  }
}

function readRange(
  text: string,
  at: SettingPath,
  find: Findings,
): { readonly from: string; readonly to: string } {
  const [from = '', to = from, ...more] = text.split('..')
  if (more.length > 0 || !isDate(from) || !isDate(to)) {
    find.error(
      at,
      `is ${quote(text)}, not a day (2026-05-01) or a range of days (2026-12-24..2027-01-02)`,
    )
  } else if (to < from) {
    find.error(at, `is ${quote(text)}, which ends before it begins`)
  }
  return { from, to }
}

/** Whether a text is a day of the calendar: `2026-02-30` is not. */
function isDate(text: string): boolean {
  const midnight = Date.parse(`${text}T00:00:00Z`)
  return (
    /^\d{4}-\d\d-\d\d$/.test(text) &&
    Number.isFinite(midnight) &&
    new Date(midnight).toISOString().startsWith(text)
  )
}
