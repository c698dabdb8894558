/** What policies lean on: their folder, time zones, calendars and groups of principals. */

import type { EntityRef } from '../identity.ts'
import type { CalendarSettings, GroupSettings } from '../policy/settings.ts'
import { didYouMean } from '../suggest.ts'
import { type Findings, quote, type SettingPath } from './findings.ts'
import type { RawCalendar, RawPolicies } from './schema.ts'
import type { TrustConfig } from './trust.ts'

/** The `policies` section. */
export type PoliciesConfig = {
  /** The folder of `*.cedar` files, absolute. */
  readonly path: string
  readonly zones: readonly string[]
  readonly calendars: readonly CalendarSettings[]
  readonly groups: readonly GroupSettings[]
}

/**
 * Reads the section. What the schema refused is left out and not judged.
 * @param trust null when some entry could not be read: then no cluster is called unknown
 */
export function readPolicies(
  raw: RawPolicies | undefined,
  trust: readonly TrustConfig[] | null,
  find: Findings,
): PoliciesConfig {
  const at = ['policies']
  return {
    path: find.part(raw, at, 'path') ?? '',
    zones: readZones(find.part(raw, at, 'zones') ?? [], [...at, 'zones'], find),
    calendars: Object.entries(raw?.calendars ?? {}).map(([name, calendar]) =>
      readCalendar(name, calendar, [...at, 'calendars', name], find),
    ),
    groups: Object.entries(raw?.groups ?? {}).map(([name, members]) => {
      const place = [...at, 'groups', name]
      return { name, members: find.sound(place) ? readMembers(members, trust, place, find) : [] }
    }),
  }
}

function readZones(zones: readonly string[], at: SettingPath, find: Findings): readonly string[] {
  zones.forEach((zone, index) => {
    checkZone(zone, [...at, index], find)
    if (zones.indexOf(zone) < index) {
      find.error([...at, index], `is ${quote(zone)}, which is listed already`)
    }
  })
  return zones
}

function readCalendar(
  name: string,
  raw: RawCalendar,
  at: SettingPath,
  find: Findings,
): CalendarSettings {
  const zone = find.part(raw, at, 'zone') ?? 'UTC'
  checkZone(zone, [...at, 'zone'], find)
  const dates = find.part(raw, at, 'dates') ?? []
  const ranges = dates.map((text, index) => readRange(text, [...at, 'dates', index], find))
  return { name, zone, ranges }
}

function readMembers(
  members: readonly string[],
  trust: readonly TrustConfig[] | null,
  at: SettingPath,
  find: Findings,
): readonly EntityRef[] {
  const seen = new Set<string>()
  return members.flatMap((text, index) => {
    const member = readMember(text, trust)
    if (typeof member === 'string') find.error([...at, index], member)
    else if (seen.has(text)) find.error([...at, index], 'is listed already')
    seen.add(text)
    return typeof member === 'string' ? [] : [member]
  })
}

function checkZone(zone: string, at: SettingPath, find: Findings): void {
  const known = [...Intl.supportedValuesOf('timeZone'), 'UTC']
  if (known.includes(zone)) return
  const exact = known.find((name) => name.toLowerCase() === zone.toLowerCase())
  // `supportedValuesOf` leaves out links, such as Asia/Kolkata; offsets have no rules for summer time.
  if (exact === undefined && /^[A-Z]/.test(zone) && isTimeZone(zone)) return
  const hint = exact === undefined ? didYouMean(zone, known) : ` (did you mean ${quote(exact)}?)`
  find.error(at, `is ${quote(zone)}, not an IANA time zone${hint}`)
}

function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }) instanceof Intl.DateTimeFormat
  } catch (cause) {
    if (cause instanceof RangeError) return false
    throw cause
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

/** One member of a group; or what is wrong with it, as the end of a sentence. */
function readMember(text: string, trust: readonly TrustConfig[] | null): EntityRef | string {
  const [, type = '', id = ''] = /^([A-Za-z_]\w*)::"([^"\\]*)"$/.exec(text) ?? []
  // Only principals that some kind can prove: a member that can never appear would be a silent hole.
  if (type !== 'ServiceAccount') {
    return `is ${quote(text)}, not a principal such as ServiceAccount::"cluster/namespace/name"${didYouMean(type, ['ServiceAccount'])}`
  }
  const parts = id.split('/')
  if (parts.length !== 3 || parts.some((part) => !/^[^\s/]+$/.test(part))) {
    return `is ${quote(text)}, but a ServiceAccount is "cluster/namespace/name"`
  }
  const [cluster = ''] = parts
  const clusters = trust?.map(({ anchor }) => anchor.id)
  if (clusters !== undefined && !clusters.includes(cluster)) {
    return `names the cluster ${quote(cluster)}, for which no trust entry vouches${didYouMean(cluster, clusters)}`
  }
  return { type, id }
}
