/** IANA time zones, as the runtime knows them. */

import { didYouMean } from '../suggest.ts'
import { type Findings, quote, type SettingPath } from './findings.ts'

/** Reports a name that is not a time zone. */
export function checkZone(zone: string, at: SettingPath, find: Findings): void {
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
