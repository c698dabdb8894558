import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signingKeys } from '../src/keys.ts'
import { sealer } from '../src/seal.ts'
import { openSqlite } from '../src/store/sqlite.ts'
import type { Store } from '../src/store/store.ts'

const DAY = 24 * 3600
const NOW = 1_800_000_000
const SECRET = 'a secret of at least thirty-two characters'

function keysOf(store: Store, secret = SECRET) {
  return signingKeys(store, sealer(secret, 'signing keys'), 30 * DAY)
}

function memory(t: { after(fn: () => void): void }): Store {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  return store
}

test('before the first key there is no signer', (t) => {
  assert.throws(() => keysOf(memory(t)).signer(NOW), { reason: 'signing_key_unavailable' })
})

test('a restarted broker signs with the same key', async (t) => {
  const store = memory(t)
  const before = keysOf(store)
  await before.refresh(NOW)
  const after = keysOf(store)
  await after.refresh(NOW + 60)
  assert.equal(after.signer(NOW + 60).kid, before.signer(NOW).kid)
})

test('two replicas that start at once share one key', async (t) => {
  const store = memory(t)
  const [one, two] = [keysOf(store), keysOf(store)]
  await Promise.all([one.refresh(NOW), two.refresh(NOW)])
  assert.equal(one.signer(NOW).kid, two.signer(NOW).kid)
  assert.equal((await store.listKeys()).length, 1)
})

test('the next key is published a day before it signs, and the old one a day after', async (t) => {
  const keys = keysOf(memory(t))
  await keys.refresh(NOW)
  const old = keys.signer(NOW).kid
  const takeover = NOW + 30 * DAY

  await keys.refresh(takeover - DAY - 1)
  assert.equal(keys.published(takeover - DAY - 1).keys.length, 1)

  await keys.refresh(takeover - DAY)
  assert.equal(keys.published(takeover - DAY).keys.length, 2)
  assert.equal(keys.signer(takeover - 1).kid, old)

  const next = keys.signer(takeover).kid
  assert.notEqual(next, old)
  assert.equal(keys.published(takeover + DAY).keys.length, 2)
  assert.deepEqual(
    keys.published(takeover + 2 * DAY).keys.map((key) => key.kid),
    [next],
  )
})

test('after a long stop the old key signs on until its successor was published long enough', async (t) => {
  const store = memory(t)
  await keysOf(store).refresh(NOW)
  const late = NOW + 90 * DAY
  const keys = keysOf(store)
  await keys.refresh(late)
  const [old, next] = keys.published(late).keys
  assert.equal(keys.signer(late).kid, old?.kid)
  assert.equal(keys.signer(late + DAY - 1).kid, old?.kid)
  assert.equal(keys.signer(late + DAY).kid, next?.kid)
})

test('a clock that once jumped ahead does not stop rotation', async (t) => {
  const keys = keysOf(memory(t))
  await keys.refresh(NOW)
  const first = keys.signer(NOW).kid
  await keys.refresh(NOW + 400 * DAY)
  await keys.refresh(NOW + 30 * DAY)
  assert.notEqual(keys.signer(NOW + 32 * DAY).kid, first)
  const known = keys.published(NOW + 32 * DAY).keys.map(({ kid }) => kid)
  assert.ok(known.includes(keys.signer(NOW + 32 * DAY).kid))
})

test('refreshing again makes no further key', async (t) => {
  const store = memory(t)
  const keys = keysOf(store)
  await keys.refresh(NOW)
  await keys.refresh(NOW + 29 * DAY)
  await keys.refresh(NOW + 29 * DAY + 60)
  assert.equal((await store.listKeys()).length, 2)
})

test('published keys are public: no private member leaves', async (t) => {
  const keys = keysOf(memory(t))
  await keys.refresh(NOW)
  const [key] = keys.published(NOW).keys
  assert.deepEqual(Object.keys(key ?? {}).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
})

test('another secret does not open the keys, and the message names the setting', async (t) => {
  const store = memory(t)
  await keysOf(store).refresh(NOW)
  const wrong = keysOf(store, 'another secret of at least thirty-two ch')
  await assert.rejects(wrong.refresh(NOW), { message: /keys\.secret does not open signing key/ })
})

test('the private half is not in the store in the clear', async (t) => {
  const store = memory(t)
  const keys = keysOf(store)
  await keys.refresh(NOW)
  const pkcs8 = keys.signer(NOW).key.export({ format: 'der', type: 'pkcs8' })
  const [record] = await store.listKeys()
  assert.equal(Buffer.from(record?.sealedPrivate ?? []).includes(pkcs8.subarray(-32)), false)
})

test('a sealed key moved to another key id, cut or changed does not open', () => {
  const seal = sealer(SECRET, 'signing keys')
  const sealed = Buffer.from(seal.seal(Buffer.from('private'), 'kid-1'))
  assert.equal(seal.open(sealed, 'kid-1').toString(), 'private')
  assert.throws(() => seal.open(sealed, 'kid-2'))
  assert.throws(() => sealer(SECRET, 'another purpose').open(sealed, 'kid-1'))
  for (let index = 0; index < sealed.length; index += 1) {
    const changed = Buffer.from(sealed)
    changed.writeUInt8(changed.readUInt8(index) ^ 1, index)
    assert.throws(() => seal.open(changed, 'kid-1'), `byte ${index}`)
    assert.throws(() => seal.open(sealed.subarray(0, index), 'kid-1'), `cut at ${index}`)
  }
  // A tag of 4 bytes is a whole tag of 4 bytes, unless 16 are demanded.
  const empty = seal.seal(Buffer.alloc(0), 'kid-1')
  for (let length = 1; length < empty.length; length += 1) {
    assert.throws(() => seal.open(empty.subarray(0, length), 'kid-1'), `tag cut at ${length}`)
  }
})
