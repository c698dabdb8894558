/** What policies lean on: their folder, time zones, calendars and groups of principals. */

import type { EntityRef } from '../identity.ts'
import type { CalendarSettings, GroupSettings } from '../policy/settings.ts'
import { readCalendar } from './calendars.ts'
import { type Findings, quote, type SettingPath } from './findings.ts'
import { readMember } from './members.ts'
import type { RawPolicies } from './schema.ts'
import type { Outside } from './secrets.ts'
import { boundedSeconds } from './server.ts'
import type { TrustConfig } from './trust.ts'
import { checkZone } from './zones.ts'

/** The `policies` section. */
export type PoliciesConfig = {
  /** The folder of `*.cedar` files, absolute. */
  readonly path: string
  /** How long policies stay in force while newer ones are refused; null for ever. */
  readonly maxStaleSeconds: number | null
  /** Where addresses are looked up: absolute paths of databases in MaxMind's format. */
  readonly geo: GeoConfig | null
  readonly zones: readonly string[]
  readonly calendars: readonly CalendarSettings[]
  readonly groups: readonly GroupSettings[]
}

/** The `policies.geo` section. */
export type GeoConfig = { readonly file: string; readonly asn: string | null }

/**
 * Reads the section. What the schema refused is left out and not judged.
 * @param trust null when some entry could not be read: then no cluster is called unknown
 */
export function readPolicies(
  raw: RawPolicies | undefined,
  trust: readonly TrustConfig[] | null,
  find: Findings,
  outside: Outside,
): PoliciesConfig {
  const at = ['policies']
  const zones = readZones(find.part(raw, at, 'zones') ?? [], [...at, 'zones'], find)
  const maxStale = find.part(raw, at, 'maxStale')
  const geo = find.part(raw, at, 'geo')
  return {
    path: find.part(raw, at, 'path') ?? '',
    maxStaleSeconds:
      maxStale === undefined
        ? null
        : boundedSeconds(maxStale, { least: '1m', most: '366d' }, [...at, 'maxStale'], find),
    geo: geo === undefined ? null : { file: geo.file, asn: geo.asn ?? null },
    zones,
    calendars: Object.entries(raw?.calendars ?? {}).map(([name, calendar]) =>
      readCalendar(name, calendar, zones, [...at, 'calendars', name], find, outside),
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
