/** `countersign doctor` on what runs in a cluster: the store, the keys in it, the certificates. */

import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { examineCertificates } from '../../src/cli/doctor/listeners.ts'
import { examineStore } from '../../src/cli/doctor/store.ts'
import { type Config, loadConfig } from '../../src/config.ts'
import { openKeys, openStore } from '../../src/opening.ts'
import { selfSigned } from '../world/certificate.ts'
import { writePair } from '../world/run.ts'
import { scratch } from '../world/scratch.ts'

const DAY = 86_400
const NOW = 1_800_000_000

function configOf(folder: string, change: Record<string, unknown> = {}): Config {
  const loaded = loadConfig(
    JSON.stringify({
      issuer: 'https://cs.test',
      store: { sqlite: 'state.db' },
      trust: [{ kubernetes: { cluster: 'prod-eu', issuer: 'https://k8s.test' } }],
      resources: [{ audience: 'https://mcp.example.com' }],
      policies: { path: 'policies' },
      ...change,
    }),
    { path: 'test.yaml', env: {}, readFile: () => '', baseDir: folder },
  )
  if ('config' in loaded) return loaded.config
  throw new Error(JSON.stringify(loaded.problems))
}

async function used(t: TestContext) {
  const folder = scratch(t)
  const config = configOf(folder)
  const store = await openStore(config)
  await openKeys(config, store, { now: () => NOW * 1000, warn: () => undefined })
  await store.close()
  return { folder, config }
}

const told = (findings: Awaited<ReturnType<typeof examineStore>>) =>
  findings.map(({ about, state, text }) => `${state} ${about}: ${text}`)

test('a store that works is well, and so is the key in it', async (t) => {
  const { config } = await used(t)
  const [store, keys] = told(await examineStore(config, NOW + 3 * DAY))
  assert.equal(store, 'ok store: answers, and this version can work with it')
  assert.match(keys ?? '', /^ok signing keys: \S+ signs since 3 days; no next one yet$/)
})

test('each thing that is wrong with store and keys has its own finding and its advice', async (t) => {
  const { folder, config } = await used(t)
  const overdue = await examineStore(config, NOW + 32 * DAY)
  assert.match(told(overdue)[1] ?? '', /^wrong signing keys: .* signs since 32 days/)
  assert.match(overdue[1]?.advice ?? '', /Rotation is overdue/)

  writeFileSync(join(folder, 'state.db.secret'), 'another secret of at least thirty-two characters')
  const other = await examineStore(config, NOW)
  assert.match(told(other)[1] ?? '', /^wrong signing keys: keys\.secret does not open signing key/)

  rmSync(join(folder, 'state.db.secret'))
  const lost = await examineStore(config, NOW)
  assert.equal(told(lost)[1], 'wrong signing keys: the secret beside the database is missing')

  writeFileSync(join(folder, 'broken.db'), 'this is no database, whatever its name says')
  const broken = await examineStore(configOf(folder, { store: { sqlite: 'broken.db' } }), NOW)
  assert.match(told(broken)[0] ?? '', /^wrong store: cannot use the store .*broken\.db/)
  assert.match(broken[0]?.advice ?? '', /volume/)

  const none = await examineStore(configOf(folder, { store: { sqlite: 'none.db' } }), NOW)
  assert.match(told(none).join(), /^warning store: there is none at .*none\.db yet$/)
  const memory = await examineStore(configOf(folder, { store: { sqlite: ':memory:' } }), NOW)
  assert.equal(told(memory).join(), 'warning store: is in memory')
})

test('a certificate is judged by its end, its names and its key', (t) => {
  const folder = scratch(t)
  const config = configOf(folder, { listen: { tls: { cert: 'cert.pem', key: 'key.pem' } } })
  const from = '20260101000000Z'
  const until = '20270101000000Z'
  const at = (month: number, day = 1, year = 2026) => Date.UTC(year, month - 1, day) / 1000
  for (const [name, now, said] of [
    [
      'cs.test',
      at(6),
      /^ok certificate listen\.tls: ends at 2027-01-01T00:00:00\.000Z, in 214 days$/,
    ],
    ['cs.test', at(12), /^warning certificate listen\.tls: ends at .*, in 31 days$/],
    ['cs.test', at(1, 1, 2027), /^wrong certificate listen\.tls: has ended at 2027-01-01/],
    ['cs.test', at(12, 31, 2025), /^wrong certificate listen\.tls: is valid only from 2026-01-01/],
    [
      'other.test',
      at(6),
      /wrong certificate listen\.tls: is for DNS:other\.test, not for the issuer's host cs\.test$/,
    ],
  ] as const) {
    writePair(folder, name, { from, until })
    assert.match(told(examineCertificates(config, now)).join('\n'), said)
  }
  writeFileSync(join(folder, 'key.pem'), selfSigned('cs.test').key)
  const [mixed] = examineCertificates(config, at(6))
  assert.match(mixed?.text ?? '', /^listen\.tls\.key: .* is not the private key/)
  assert.match(mixed?.advice ?? '', /Secret/)
  assert.deepEqual(examineCertificates(configOf(folder), at(6)), [], 'plain HTTP')
})
