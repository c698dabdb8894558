import assert from 'node:assert/strict'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { openSqlite } from '../../src/store/sqlite.ts'
import { scratch } from '../world/scratch.ts'
import { storeSuite } from './suite.ts'
import { pinSuite, revocation, revocationSuite } from './taken.ts'

for (const suite of [storeSuite, pinSuite, revocationSuite]) {
  suite('sqlite', async (t) => {
    const path = join(scratch(t), 'state.db')
    return async () => openSqlite(path)
  })
}

test('sqlite: a file of the version before is taken over as it is', async (t) => {
  const path = join(scratch(t), 'state.db')
  const before = new DatabaseSync(path)
  before.exec(`CREATE TABLE spent (key TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO spent VALUES ('old', 100); PRAGMA user_version = 1;`)
  before.close()
  const store = openSqlite(path)
  t.after(() => store.close())
  assert.equal(await store.spend('old', 100), false)
  assert.equal(await store.pin('a', 'holder', 100), 'holder')
  assert.equal((await store.revoke(revocation('a'))).name, 'a')
})

test('sqlite: the file is readable by its owner alone', (t) => {
  const path = join(scratch(t), 'state.db')
  openSqlite(path).close()
  assert.equal(statSync(path).mode & 0o777, 0o600)
})

test('sqlite: a file that is no database is refused with its path', (t) => {
  const path = join(scratch(t), 'state.db')
  writeFileSync(path, 'this is not a database, but it is long enough to look at'.repeat(20))
  assert.throws(() => openSqlite(path), {
    message: /cannot use the store .*state\.db.*not a database/,
  })
})

test('sqlite: a file of a newer version is refused, not changed', (t) => {
  const path = join(scratch(t), 'state.db')
  const newer = new DatabaseSync(path)
  newer.exec('PRAGMA user_version = 99')
  newer.close()
  assert.throws(() => openSqlite(path), { message: /newer version \(schema 99\)/ })
  const again = new DatabaseSync(path)
  t.after(() => again.close())
  assert.deepEqual(again.prepare("SELECT name FROM sqlite_schema WHERE type='table'").all(), [])
})

test('sqlite: a file that others could read is taken away from them', (t) => {
  const path = join(scratch(t), 'state.db')
  writeFileSync(path, '', { mode: 0o644 })
  openSqlite(path).close()
  assert.equal(statSync(path).mode & 0o777, 0o600)
})

test('sqlite: while a backup holds the lock the event loop goes on, and nothing is lost', async (t) => {
  const path = join(scratch(t), 'state.db')
  const store = openSqlite(path)
  t.after(() => store.close())
  const backup = new DatabaseSync(path)
  t.after(() => backup.close())
  backup.exec('BEGIN IMMEDIATE')
  const spending = store.spend('a', 100)
  let turns = 0
  const counting = setInterval(() => {
    turns += 1
    if (turns === 3) backup.exec('COMMIT')
  }, 1)
  assert.equal(await spending, true)
  clearInterval(counting)
  assert.ok(turns >= 3)
})

test('sqlite: a folder that does not exist is refused with the path', () => {
  assert.throws(() => openSqlite('/nonexistent/state.db'), { message: /\/nonexistent\/state\.db/ })
})
