/** Where addresses are, from database files that the operator supplies (MaxMind's format, also others'). */

import { readFile, stat } from 'node:fs/promises'
import { type AsnResponse, type CountryResponse, Reader, type Response } from 'maxmind'
import { networkOf } from './net/addresses.ts'
import type { Place } from './policy/question.ts'
import type { Detail } from './refusal.ts'

/** The lookup of a running broker. */
export interface Geo {
  /** Where an address is; null for private, unknown and absent ones. */
  place(address: string | null): Place | null
  /** Reads files again that changed. A file that became unusable is reported; the one before stays. */
  refresh(): Promise<void>
  /** Refreshes by itself from now on. */
  watch(): void
  close(): void
}

/** What the lookup needs. */
export type GeoOptions = {
  /** A country or city database. */
  readonly file: string
  /** A database of autonomous systems; null for none. */
  readonly asn: string | null
  readonly warn: (detail: Detail, sentence: string) => void
  /** How often the files are looked at, milliseconds. */
  readonly pollEvery?: number
}

const POLL_EVERY = 60_000
const MAX_BYTES = 512 * 1024 * 1024

/**
 * Opens the databases.
 *
 * @throws Error with a sentence for the operator where one cannot be used
 */
export async function openGeo({ file, asn, warn, pollEvery }: GeoOptions): Promise<Geo> {
  const countries = await keep<CountryResponse>(file, /Country|City|Enterprise/, warn)
  const systems = asn === null ? null : await keep<AsnResponse>(asn, /ASN|ISP|Enterprise/, warn)
  const refresh = async () => {
    await countries.refresh()
    await systems?.refresh()
  }
  let poll: NodeJS.Timeout | undefined
  return {
    place: (address) => {
      if (address === null || networkOf(address) !== 'public') return null
      const found = countries.find(address)
      const [country, continent] = [found?.country?.iso_code, found?.continent?.code]
      if (country === undefined || continent === undefined) return null
      const number = systems?.find(address)?.autonomous_system_number
      const builtAt = Math.min(countries.builtAt(), systems?.builtAt() ?? Number.POSITIVE_INFINITY)
      return { country, continent, asn: number ?? null, builtAt }
    },
    refresh,
    watch() {
      poll ??= setInterval(() => void refresh(), pollEvery ?? POLL_EVERY).unref()
    },
    close: () => clearInterval(poll),
  }
}

/** No lookup: nothing has a place. */
export const NO_GEO: Geo = {
  place: () => null,
  refresh: async () => {},
  watch: () => {},
  close: () => {},
}

type Database<Found extends Response> = {
  find(address: string): Found | null
  builtAt(): number
  refresh(): Promise<void>
}

async function keep<Found extends Response>(
  path: string,
  types: RegExp,
  warn: GeoOptions['warn'],
): Promise<Database<Found>> {
  let { reader, version } = await open<Found>(path, types, '')
  let failed = ''
  return {
    find(address) {
      // An IPv6 address would be looked up by its first 32 bits.
      if (reader.metadata.ipVersion === 4 && address.includes(':')) return null
      return reader.get(address)
    },
    builtAt: () => Math.floor(reader.metadata.buildEpoch.getTime() / 1000),
    async refresh() {
      try {
        const opened = await open(path, types, version, reader)
        ;({ reader, version } = opened)
        failed = ''
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error)
        if (problem !== failed) {
          warn({ problem }, 'The changed geo database cannot be used; the one from before stays.')
        }
        failed = problem
      }
    },
  }
}

type Opened<Found extends Response> = { readonly reader: Reader<Found>; readonly version: string }

/** Reads a database, unless it is the known one. */
async function open<Found extends Response>(
  path: string,
  types: RegExp,
  known: string,
  reader?: Reader<Found>,
): Promise<Opened<Found>> {
  const info = await stat(path).catch((cause) => {
    throw new Error(`There is no geo database at ${path}.`, { cause })
  })
  const version = [info.ino, info.size, info.mtimeMs].join()
  if (reader && version === known) return { reader, version }
  if (info.size > MAX_BYTES) throw new Error(`The geo database ${path} is over 512 MiB.`)
  const fresh = parse<Found>(await readFile(path), path)
  const type = fresh.metadata.databaseType
  if (!types.test(type)) {
    throw new Error(`The geo database ${path} is of the type ${type}, which does not say this.`)
  }
  return { reader: fresh, version }
}

function parse<Found extends Response>(bytes: Buffer, path: string): Reader<Found> {
  try {
    const reader = new Reader<Found>(bytes)
    // The end of the file says what it is. A file cut short before is found by looking something up.
    reader.get('255.255.255.255')
    return reader
  } catch (cause) {
    throw new Error(`The geo database ${path} is not a MaxMind database, or is broken.`, { cause })
  }
}
