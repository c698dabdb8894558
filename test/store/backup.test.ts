/** A backup of the embedded store, taken while it works, and a start on what was restored from it. */

import assert from 'node:assert/strict'
import { copyFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { signingKeys } from '../../src/keys.ts'
import { sealer } from '../../src/seal.ts'
import { keysSecret } from '../../src/secret.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { scratch } from '../world/scratch.ts'

const NOW = 1_800_000_000

/** Opens a store with its keys, as a broker without `keys.secret` does. */
async function start(path: string) {
  const store = openSqlite(path)
  const secret = keysSecret(path, () => undefined)
  const keys = signingKeys(store, sealer(secret, 'signing keys'), 30 * 24 * 3600)
  await keys.refresh(NOW)
  return { store, kid: keys.signer(NOW).kid }
}

/** What `sqlite3 state.db "VACUUM INTO 'copy.db'"` does, from another connection. */
function vacuumInto(path: string, copy: string): void {
  const database = new DatabaseSync(path)
  database.exec(`VACUUM INTO '${copy}'`)
  database.close()
}

test('a copy made by VACUUM INTO during work, with its secret, is the whole store', async (t) => {
  const folder = scratch(t)
  const [path, copy] = [join(folder, 'state.db'), join(folder, 'copy.db')]
  const running = await start(path)
  t.after(() => running.store.close())
  assert.equal(await running.store.spend('before', 9e9), true)
  await running.store.keepDecision({ id: 'x', at: NOW, event: '{}' })
  const working = Promise.all(
    Array.from({ length: 2_000 }, (_, n) => running.store.spend(`${n}`, 9e9)),
  )
  vacuumInto(path, copy)
  copyFileSync(`${path}.secret`, `${copy}.secret`)
  assert.ok((await working).every(Boolean), 'work goes on')

  const restored = await start(copy)
  t.after(() => restored.store.close())
  assert.equal(restored.kid, running.kid)
  assert.equal(await restored.store.spend('before', 9e9), false)
  assert.equal(await restored.store.findDecision('x', 0), '{}')
  assert.equal(statSync(copy).mode & 0o777, 0o600)
})

test('once the broker has stopped, the file and its secret are the whole store', async (t) => {
  const folder = scratch(t)
  const [path, copy] = [join(folder, 'state.db'), join(folder, 'copy.db')]
  const { store, kid } = await start(path)
  await store.spend('before', 9e9)
  await store.keepDecision({ id: 'x', at: NOW, event: '{}' })
  await store.close()
  for (const suffix of ['', '.secret']) copyFileSync(`${path}${suffix}`, `${copy}${suffix}`)
  const restored = await start(copy)
  t.after(() => restored.store.close())
  assert.equal(restored.kid, kid)
  assert.equal(await restored.store.spend('before', 9e9), false)
  assert.equal(await restored.store.findDecision('x', 0), '{}')
})

test('a copy without its secret does not start with keys of its own', async (t) => {
  const folder = scratch(t)
  const [path, copy] = [join(folder, 'state.db'), join(folder, 'copy.db')]
  const { store } = await start(path)
  await store.close()
  copyFileSync(path, copy)
  await assert.rejects(start(copy), { message: /keys\.secret does not open signing key/ })
})
