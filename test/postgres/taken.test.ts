/** Pins and revocations of several replicas on one database. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import pg from 'pg'
import { MIGRATIONS } from '../../src/store/postgres/migrations.ts'
import { openPostgres } from '../../src/store/postgres/store.ts'
import type { Store } from '../../src/store/store.ts'
import { revocation } from '../store/taken.ts'
import { optionsOf } from './server.ts'
import { server } from './shared.ts'

async function replicas(t: TestContext, count: number): Promise<readonly [string, ...Store[]]> {
  const url = await server.database()
  const stores = await Promise.all(
    Array.from({ length: count }, () => openPostgres(optionsOf(url))),
  )
  t.after(() => Promise.all(stores.map((store) => store.close())))
  return [url, ...stores]
}

test('postgres: replicas that pin the same evidence at once, in different orders, agree on each holder', async (t) => {
  const [, ...stores] = await replicas(t, 3)
  const keys = Array.from({ length: 300 }, (_, n) => `key-${n}`)
  const orders = [keys, keys.toReversed(), keys.toSorted()]
  const answers = await Promise.all(
    stores.map(async (store, replica) => {
      const order = orders[replica] ?? keys
      const holders = await Promise.all(order.map((key) => store.pin(key, `r${replica}`, 100)))
      return new Map(order.map((key, index) => [key, holders[index]]))
    }),
  )
  const [one, two, three] = answers
  for (const key of keys) {
    assert.match(one?.get(key) ?? '', /^r[012]$/)
    assert.equal(one?.get(key), two?.get(key))
    assert.equal(one?.get(key), three?.get(key))
  }
})

test('postgres: a pin that is known writes nothing', async (t) => {
  const [url, store] = await replicas(t, 1)
  assert.ok(store)
  const version = () => server.sql(url, `SELECT xmin::text, xmax::text FROM countersign_pin`)
  await store.pin('a', 'holder', 100)
  const before = await version()
  await store.pin('a', 'another', 100)
  assert.deepEqual(await version(), before)
})

test('postgres: a pin meets one that another replica has not committed yet, and gets its holder', async (t) => {
  const [url, store] = await replicas(t, 1)
  assert.ok(store)
  const other = new pg.Client({ connectionString: url })
  await other.connect()
  t.after(() => other.end())
  await other.query('BEGIN')
  await other.query(`INSERT INTO countersign_pin VALUES ('a', 'first', 100)`)
  const pinning = store.pin('a', 'second', 100)
  await blocked(url)
  await other.query('COMMIT')
  assert.equal(await pinning, 'first')
})

test('postgres: a reader that follows many writers misses no revocation', async (t) => {
  const [, reader, ...writers] = await replicas(t, 4)
  assert.ok(reader)
  const each = 100
  let writing = true
  const done = Promise.all(
    writers.map(async (store, replica) => {
      const names = Array.from({ length: each }, (_, n) => `${replica}-${n}`)
      await Promise.all(names.map((name) => store.revoke(revocation(name))))
    }),
  ).finally(() => {
    writing = false
  })
  const seen: number[] = []
  let upTo = 0
  for (let last = false; !last; ) {
    last = !writing
    const page = await reader.listRevocations(upTo)
    seen.push(...page.records.map(({ sequence }) => sequence))
    upTo = page.upTo
  }
  await done
  assert.equal(seen.length, writers.length * each)
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
    'in the order of their sequence',
  )
})

test('postgres: a revocation that is not committed yet holds back those with a higher sequence', async (t) => {
  const [url, store] = await replicas(t, 1)
  assert.ok(store)
  const other = new pg.Client({ connectionString: url })
  await other.connect()
  t.after(() => other.end())
  await other.query('BEGIN')
  await other.query('UPDATE countersign_revocation_sequence SET value = value + 1')
  const revoking = store.revoke(revocation('later'))
  await blocked(url)
  assert.deepEqual((await store.listRevocations(0)).records, [])
  await other.query('COMMIT')
  const { sequence } = await revoking
  assert.equal((await store.listRevocations(0)).upTo, sequence)
})

test('postgres: one replica hears at once what another revokes and lifts', async (t) => {
  const [, one, two] = await replicas(t, 2)
  assert.ok(one && two)
  // The first thing that is told is that nothing is known of the time before.
  await told(two)
  for (const change of [
    () => one.revoke(revocation('a')),
    () => one.lift({ name: 'a', at: 2_000, until: 3_000, by: 'operator', reason: 'mended' }),
  ]) {
    const heard = told(two)
    await change()
    await heard
  }
})

test('postgres: a replica of the version before works on beside a new one', async (t) => {
  const url = await server.database()
  const old = await openPostgres(optionsOf(url), { migrations: MIGRATIONS.slice(0, 1) })
  t.after(() => old.close())
  const renewed = await openPostgres(optionsOf(url))
  t.after(() => renewed.close())
  await renewed.revoke(revocation('a', { until: 50 }))
  await renewed.pin('a', 'holder', 50)
  assert.equal(await old.spend('a', 100), true)
  assert.equal(await renewed.spend('a', 100), false)
  const restarted = await openPostgres(optionsOf(url), { migrations: MIGRATIONS.slice(0, 1) })
  t.after(() => restarted.close())
  assert.equal(await restarted.spend('a', 100), false)
})

function told(store: Store): Promise<void> {
  return new Promise((resolve) => {
    const end = store.onChange((topic) => {
      if (topic !== 'revocations') return
      end()
      resolve()
    })
  })
}

/** Until a statement waits for another one's transaction. */
async function blocked(url: string): Promise<void> {
  const waiting = `SELECT 1 FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')
    AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())`
  while ((await server.sql(url, waiting)).length === 0);
}
