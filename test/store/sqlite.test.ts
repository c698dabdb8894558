import assert from 'node:assert/strict'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { openSqlite } from '../../src/store/sqlite.ts'
import { scratch } from '../world/scratch.ts'
import { storeSuite } from './suite.ts'

storeSuite('sqlite', (t) => {
  const path = join(scratch(t), 'state.db')
  return () => openSqlite(path)
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

test('sqlite: a folder that does not exist is refused with the path', () => {
  assert.throws(() => openSqlite('/nonexistent/state.db'), { message: /\/nonexistent\/state\.db/ })
})
