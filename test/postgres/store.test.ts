/** The shared store does what every store does, and does it for several replicas at once. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import pg from 'pg'
import { openPostgres } from '../../src/store/postgres/store.ts'
import type { Store } from '../../src/store/store.ts'
import { keyRecord, storeSuite } from '../store/suite.ts'
import { pinSuite, revocationSuite } from '../store/taken.ts'
import { optionsOf, PASSWORD } from './server.ts'
import { server } from './shared.ts'

for (const suite of [storeSuite, pinSuite, revocationSuite]) {
  suite('postgres', async () => {
    const options = optionsOf(await server.database())
    return () => openPostgres(options)
  })
}

/** Several replicas on one new database. */
async function replicas(t: TestContext, count: number): Promise<readonly [string, ...Store[]]> {
  const url = await server.database()
  const stores = await Promise.all(
    Array.from({ length: count }, () => openPostgres(optionsOf(url))),
  )
  t.after(() => Promise.all(stores.map((store) => store.close())))
  return [url, ...stores]
}

test('postgres: replicas that spend the same keys at once, in different orders, spend each once', async (t) => {
  const [, ...stores] = await replicas(t, 3)
  const keys = Array.from({ length: 300 }, (_, n) => `key-${n}`)
  const orders = [
    keys,
    keys.toReversed(),
    keys.toSorted((a, b) => (a.at(-1) ?? '').localeCompare(b.at(-1) ?? '')),
  ]
  const wins = new Map<string, number>()
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(
      stores.map(async (store, replica) => {
        const order = orders[replica] ?? keys
        const answers = await Promise.all(order.map((key) => store.spend(`${round}-${key}`, 100)))
        order.forEach((key, index) => {
          const name = `${round}-${key}`
          if (answers[index]) wins.set(name, (wins.get(name) ?? 0) + 1)
        })
      }),
    )
  }
  assert.equal(wins.size, 1500, 'each was spent')
  assert.deepEqual(new Set(wins.values()), new Set([1]), 'once')
})

test('postgres: two processes that spend the same keys at once spend each once', async (t) => {
  const [url] = await replicas(t, 1)
  const program = `
    import { openPostgres } from ${JSON.stringify(import.meta.resolve('../../src/store/postgres/store.ts'))}
    const store = await openPostgres(JSON.parse(process.argv[1]))
    const answers = await Promise.all(Array.from({ length: 500 }, (_, n) => store.spend('key-' + n, 100)))
    await store.close()
    console.log(answers.map(Number).join(''))`
  const spender = async () => {
    const args = ['--input-type=module', '--eval', program, JSON.stringify(optionsOf(url))]
    return (await promisify(execFile)(process.execPath, args)).stdout.trim()
  }
  const [one = '', two = ''] = await Promise.all([spender(), spender()])
  assert.equal(one.length, 500)
  for (let n = 0; n < 500; n += 1) assert.equal(Number(one[n]) + Number(two[n]), 1, `key-${n}`)
})

test('postgres: spendings wait for the disk, decisions do not', async (t) => {
  const [url, store] = await replicas(t, 1)
  assert.ok(store)
  await store.spend('a', 100)
  await store.keepDecision({ id: 'x', at: 1, event: '{}' })
  await server.sql(
    url,
    `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       INSERT INTO noted VALUES (TG_TABLE_NAME, current_setting('synchronous_commit')); RETURN NULL; END $$`,
  )
  await server.sql(url, 'CREATE TABLE noted (about text, setting text)')
  for (const table of ['countersign_spent', 'countersign_decision', 'countersign_signing_key']) {
    const after = `AFTER INSERT ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION note()`
    await server.sql(url, `CREATE TRIGGER noting ${after}`)
  }
  await Promise.all([
    ...['b', 'c', 'd'].map((key) => store.spend(key, 100)),
    store.keepDecision({ id: 'y', at: 1, event: '{}' }),
    store.addKey(keyRecord(1)),
  ])
  const noted = await server.sql(url, 'SELECT about, setting FROM noted ORDER BY about')
  assert.deepEqual(
    noted.map(({ about, setting }) => `${about} ${setting}`),
    ['countersign_decision off', 'countersign_signing_key on', 'countersign_spent on'],
    'and the spendings of one turn are one statement',
  )
})

test('postgres: one replica hears at once what another adds', async (t) => {
  const [, one, two] = await replicas(t, 2)
  assert.ok(one && two)
  // The first thing that is told is that nothing is known of the time before.
  await new Promise<void>((resolve) => two.onChange(() => resolve()))
  const heard = new Promise<void>((resolve) => two.onChange(() => resolve()))
  const started = performance.now()
  await one.addKey(keyRecord(1))
  await heard
  t.diagnostic(`a new key was heard of after ${(performance.now() - started).toFixed(1)} ms`)
})

test('postgres: after a lost connection everything is told again, for it may have been missed', async (t) => {
  const [url, one] = await replicas(t, 1)
  assert.ok(one)
  await new Promise<void>((resolve) => one.onChange(() => resolve()))
  const again = new Promise<void>((resolve) => one.onChange(() => resolve()))
  assert.ok((await server.terminate(url)) > 0)
  await again
})

test('postgres: pruning does not wait for what another replica is about to drop', async (t) => {
  const [url, store] = await replicas(t, 1)
  assert.ok(store)
  await Promise.all(Array.from({ length: 3_000 }, (_, n) => store.spend(`over-${n}`, 50)))
  await store.spend('live', 51)
  const other = new pg.Client({ connectionString: url })
  await other.connect()
  t.after(() => other.end())
  await other.query('BEGIN')
  await other.query(`SELECT 1 FROM countersign_spent WHERE key = 'over-7' FOR UPDATE`)
  await store.prune(51, 0)
  const left = () => server.sql(url, 'SELECT key FROM countersign_spent ORDER BY key')
  assert.deepEqual(await left(), [{ key: 'live' }, { key: 'over-7' }])
  await other.query('COMMIT')
  await store.prune(51, 0)
  assert.deepEqual(await left(), [{ key: 'live' }])
})

test('postgres: what the driver prints of a store holds no password', async (t) => {
  const wrong = optionsOf(await server.database(), { password: 'another-password' })
  await assert.rejects(openPostgres(wrong), (error: Error) => {
    assert.match(
      error.message,
      /^cannot use the store: PostgreSQL at 127\.0\.0\.1:\d+: password authentication failed/,
    )
    assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)}`, /another-password/)
    assert.equal(error.cause, undefined)
    return true
  })
  const told = optionsOf(await server.database(), { database: PASSWORD })
  await assert.rejects(openPostgres(told), { message: /database "\[password\]" does not exist/ })
  t.diagnostic('the second shows that even a message that repeats it is cleaned')
})
