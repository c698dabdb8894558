import assert from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type GeoOptions, NO_GEO, openGeo } from '../src/geo.ts'
import { type MmdbValue, mmdb } from './world/mmdb.ts'
import { scratch } from './world/scratch.ts'

const DAY = 86_400
const BUILT = 1_790_000_000
const GERMANY = { country: { iso_code: 'DE' }, continent: { code: 'EU' } }
const NETWORKS = {
  '81.2.69.160/27': { country: { iso_code: 'GB' }, continent: { code: 'EU' } },
  '91.0.0.0/10': GERMANY,
  '10.0.0.0/8': GERMANY,
  '92.0.0.0/24': { continent: { code: 'EU' } },
  '2a02:cf40::/29': { country: { iso_code: 'NO' }, continent: { code: 'EU' } },
}

const countries = (builtAt = BUILT, networks: Readonly<Record<string, MmdbValue>> = NETWORKS) =>
  mmdb({ type: 'GeoLite2-Country', builtAt, networks })
const systems = (builtAt = BUILT) =>
  mmdb({
    type: 'GeoLite2-ASN',
    builtAt,
    networks: { '91.0.0.0/10': { autonomous_system_number: 3320 } },
  })

async function world(t: TestContext, files: Readonly<Record<string, Buffer>>) {
  const folder = scratch(t)
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes)
  const warnings: string[] = []
  const options: GeoOptions = {
    file: join(folder, 'country.mmdb'),
    asn: 'asn.mmdb' in files ? join(folder, 'asn.mmdb') : null,
    warn: ({ problem }, sentence) => void warnings.push(`${sentence} ${String(problem)}`),
  }
  const replace = async (name: string, bytes: Buffer) => {
    await writeFile(join(folder, 'new'), bytes)
    await rename(join(folder, 'new'), join(folder, name))
  }
  return { options, warnings, replace, folder }
}

test('an address has the country, continent and system of its networks, and the age of the older file', async (t) => {
  const { options } = await world(t, {
    'country.mmdb': countries(BUILT + DAY),
    'asn.mmdb': systems(),
  })
  const geo = await openGeo(options)
  const there = { continent: 'EU', builtAt: BUILT }
  assert.deepEqual(geo.place('91.1.2.3'), { ...there, country: 'DE', asn: 3320 })
  assert.deepEqual(geo.place('81.2.69.161'), { ...there, country: 'GB', asn: null })
  assert.deepEqual(geo.place('2a02:cf40::1'), { ...there, country: 'NO', asn: null })
})

test('private, unknown, incomplete and absent addresses have no place', async (t) => {
  const { options } = await world(t, { 'country.mmdb': countries() })
  const geo = await openGeo(options)
  const nowhere = [null, '10.1.2.3', '127.0.0.1', '8.8.8.8', '92.0.0.1', '::1', 'fe80::1%eth0', '']
  for (const address of nowhere) assert.equal(geo.place(address), null, String(address))
  assert.equal(NO_GEO.place('91.1.2.3'), null)
})

test('an IPv6 address is not looked up in a database of IPv4', async (t) => {
  const bytes = mmdb({
    type: 'Country',
    builtAt: BUILT,
    ipVersion: 4,
    networks: { '42.0.0.0/8': GERMANY },
  })
  const { options } = await world(t, { 'country.mmdb': bytes })
  const geo = await openGeo(options)
  assert.equal(geo.place('42.1.2.3')?.country, 'DE')
  assert.equal(geo.place('2a02:cf40::1'), null)
})

test('a database that cannot be used does not start, and says which it is', async (t) => {
  const good = countries()
  const broken: readonly (readonly [Readonly<Record<string, Buffer>>, RegExp])[] = [
    [{}, /no geo database at .*country\.mmdb/],
    [{ 'country.mmdb': Buffer.from('PK') }, /country\.mmdb is not a MaxMind database/],
    [{ 'country.mmdb': good.subarray(0, good.length - 200) }, /is not a MaxMind database/],
    [{ 'country.mmdb': systems() }, /is of the type GeoLite2-ASN/],
    [{ 'country.mmdb': good, 'asn.mmdb': good }, /asn\.mmdb is of the type GeoLite2-Country/],
  ]
  for (const [files, message] of broken) {
    const { options } = await world(t, files)
    await assert.rejects(openGeo(options), message)
  }
})

test('a changed file is read again; one that became unusable is reported once, and the old one stays', async (t) => {
  const { options, warnings, replace } = await world(t, { 'country.mmdb': countries() })
  const geo = await openGeo(options)
  await replace(
    'country.mmdb',
    countries(BUILT + DAY, { '91.0.0.0/10': NETWORKS['81.2.69.160/27'] }),
  )
  await geo.refresh()
  assert.deepEqual(
    [geo.place('91.1.2.3')?.country, geo.place('91.1.2.3')?.builtAt],
    ['GB', BUILT + DAY],
  )

  await replace('country.mmdb', Buffer.from('half a file'))
  await geo.refresh()
  await geo.refresh()
  assert.equal(geo.place('91.1.2.3')?.country, 'GB')
  assert.equal(warnings.length, 1)
  assert.match(warnings[0] ?? '', /the one from before stays\. The geo database .* is broken/)

  await replace('country.mmdb', countries())
  await geo.refresh()
  assert.equal(geo.place('91.1.2.3')?.country, 'DE')
})

test('a watched file is read again by itself', { timeout: 10_000 }, async (t) => {
  const { options, replace } = await world(t, { 'country.mmdb': countries() })
  const geo = await openGeo({ ...options, pollEvery: 10 })
  geo.watch()
  await replace('country.mmdb', countries(BUILT + DAY))
  const alive = setInterval(() => {}, 1000)
  while (geo.place('91.1.2.3')?.builtAt === BUILT) await new Promise((done) => setTimeout(done, 5))
  clearInterval(alive)
  geo.close()
})
