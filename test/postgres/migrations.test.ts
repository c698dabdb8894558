/** The tables change while old and new replicas run side by side. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { MIGRATIONS, type Migration } from '../../src/store/postgres/migrations.ts'
import { openPostgres } from '../../src/store/postgres/store.ts'
import { keyRecord } from '../store/suite.ts'
import { optionsOf, PASSWORD } from './server.ts'
import { server } from './shared.ts'

const NEWEST = MIGRATIONS.at(-1)?.version ?? 0

/** A step that old code can live with. */
const EXPANDED: readonly Migration[] = [
  ...MIGRATIONS,
  {
    version: NEWEST + 1,
    oldestReader: 1,
    sql: `ALTER TABLE countersign_signing_key ADD COLUMN origin text NOT NULL DEFAULT 'here';
      ALTER TABLE countersign_spent ADD COLUMN replica text;
      CREATE TABLE countersign_revoked (lineage text PRIMARY KEY)`,
  },
]

/** A step after which old code would do harm. */
const CONTRACTED: readonly Migration[] = [
  ...EXPANDED,
  {
    version: NEWEST + 2,
    oldestReader: NEWEST + 1,
    sql: 'ALTER TABLE countersign_decision DROP COLUMN at',
  },
]

async function opened(t: TestContext, url: string, migrations = MIGRATIONS) {
  const store = await openPostgres(optionsOf(url), { migrations })
  t.after(() => store.close())
  return store
}

function versions(url: string) {
  return server.sql(url, 'SELECT version, oldest_reader FROM countersign_schema ORDER BY version')
}

test('steps are numbered without gaps, and none shuts out its own code', () => {
  CONTRACTED.forEach(({ version, oldestReader }, index) => {
    assert.equal(version, index + 1)
    assert.ok(oldestReader <= version)
  })
})

test('replicas that start at once on an empty database all come up, and the tables are made once', async (t) => {
  const url = await server.database()
  const stores = await Promise.all(Array.from({ length: 4 }, () => opened(t, url)))
  const answers = await Promise.all(stores.map((store) => store.spend('a', 100)))
  assert.equal(answers.filter(Boolean).length, 1)
  assert.equal((await versions(url)).length, MIGRATIONS.length)
})

test('an old replica works on while a newer one expands the tables, and starts again on them', async (t) => {
  const url = await server.database()
  const old = await opened(t, url)
  await old.addKey(keyRecord(1))
  await old.listKeys()
  await old.spend('old', 100)
  const renewed = await opened(t, url, EXPANDED)
  assert.equal((await versions(url)).length, EXPANDED.length)
  const restarted = await opened(t, url)
  for (const store of [old, renewed, restarted]) {
    assert.equal(await store.spend('old', 100), false)
    assert.equal((await store.listKeys()).length, 1)
    await store.keepDecision({ id: 'x', at: 1, event: '{}' })
    assert.equal(await store.findDecision('x', 0), '{}')
  }
  assert.deepEqual(
    await Promise.all([old, renewed, restarted].map((store, n) => store.spend(`new-${n}`, 100))),
    [true, true, true],
  )
})

test('a replica that is too old for the tables does not start, and says which version is needed', async (t) => {
  const url = await server.database()
  await opened(t, url, CONTRACTED)
  await assert.rejects(openPostgres(optionsOf(url)), {
    message: new RegExp(
      `^cannot use the store: PostgreSQL at \\S+: the tables are of version ${NEWEST + 2} and need a Countersign that knows version ${NEWEST + 1}; this one knows ${NEWEST}$`,
    ),
  })
  // Whoever knows the step before the last is old, but not too old.
  const between = await openPostgres(optionsOf(url), { migrations: EXPANDED })
  await between.close()
})

test('a step that fails leaves the tables as they were', async (t) => {
  const url = await server.database()
  const old = await opened(t, url)
  const broken = { version: NEWEST + 1, oldestReader: 1, sql: 'CREATE TABLE half (a text); oops' }
  await assert.rejects(openPostgres(optionsOf(url), { migrations: [...MIGRATIONS, broken] }), {
    message: /syntax error at or near "oops"/,
  })
  assert.equal((await versions(url)).length, MIGRATIONS.length)
  const [half] = await server.sql(url, `SELECT to_regclass('half') AS half`)
  assert.equal(half?.['half'], null)
  assert.equal(await old.spend('a', 100), true)
})

test('a replica waits while another one changes the tables', async (t) => {
  const url = await server.database()
  const other = new pg.Client({ connectionString: url })
  await other.connect()
  t.after(() => other.end())
  await other.query('BEGIN')
  await other.query(`SELECT pg_advisory_xact_lock(hashtext('countersign_schema'))`)
  const opening = opened(t, url)
  const waiting = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
  while ((await server.sql(url, waiting)).length === 0) await pause(10)
  assert.deepEqual(await server.sql(url, `SELECT to_regclass('countersign_spent') AS made`), [
    { made: null },
  ])
  await other.query('COMMIT')
  assert.equal(await (await opening).spend('a', 100), true)
})

test('a role that may not change tables serves once they are there', async (t) => {
  const url = await server.database()
  await (await openPostgres(optionsOf(url))).close()
  await server.sql(url, `CREATE ROLE serving LOGIN PASSWORD '${PASSWORD}'`)
  await server.sql(url, 'REVOKE CREATE ON SCHEMA public FROM PUBLIC')
  await server.sql(
    url,
    'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO serving',
  )
  const store = await openPostgres(optionsOf(url, { user: 'serving' }))
  t.after(() => store.close())
  assert.equal(await store.spend('a', 100), true)
  assert.equal(await store.addKey(keyRecord(1)), true)
  await store.prune(101, 0)
})
