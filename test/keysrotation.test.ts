/** Rotation of signing keys by hand: what it publishes, when it signs, and what verifiers with a cache see of it. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { signingKeys } from '../src/keys.ts'
import { sealer } from '../src/seal.ts'
import { openSqlite } from '../src/store/sqlite.ts'
import type { Store } from '../src/store/store.ts'
import { settle } from './world/clock.ts'
import { scratch } from './world/scratch.ts'

const MINUTE = 60
const HOUR = 3600
const DAY = 24 * HOUR
const NOW = 1_800_000_000
const SECRET = 'a secret of at least thirty-two characters'
/** How long `/jwks` may be kept, and how often a broker reads the store. */
const CACHE = 5 * MINUTE

function keysOf(store: Store, { secret = SECRET, rotateEvery = 30 * DAY } = {}) {
  return signingKeys(store, sealer(secret, 'signing keys'), rotateEvery)
}

async function started(t: { after(fn: () => unknown): void }, options = {}) {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  const keys = keysOf(store, options)
  await keys.refresh(NOW)
  return { store, keys }
}

const kidsOf = (keys: ReturnType<typeof keysOf>, now: number) =>
  keys.published(now).keys.map(({ kid }) => kid)

test('the next key is published first and signs after the lead; asking again makes no other', async (t) => {
  for (const [rotateEvery, lead] of [
    [30 * DAY, DAY],
    [HOUR, HOUR / 2],
  ] as const) {
    const { keys } = await started(t, { rotateEvery })
    const old = keys.signer(NOW).kid
    const { kid, made } = await keys.rotate(NOW, 'led')
    assert.equal(made, true)
    assert.deepEqual(kidsOf(keys, NOW), [old, kid])
    assert.equal(keys.signer(NOW + lead - 1).kid, old)
    assert.equal(keys.signer(NOW + lead).kid, kid)
    assert.deepEqual(await keys.rotate(NOW + 1, 'led'), { kid, made: false })
    assert.deepEqual(kidsOf(keys, NOW + lead + 25 * HOUR - 1), [old, kid])
    assert.deepEqual(kidsOf(keys, NOW + lead + 25 * HOUR), [kid])
  }
})

test('at once: it signs now, also before a key that waits, and both others stay published for their tokens', async (t) => {
  const { keys } = await started(t)
  const old = keys.signer(NOW).kid
  const waiting = (await keys.rotate(NOW, 'led')).kid
  const { kid } = await keys.rotate(NOW + HOUR, 'now')
  assert.equal(keys.signer(NOW + HOUR).kid, kid)
  assert.equal(keys.signer(NOW + 2 * DAY).kid, kid, 'the one that waited never signs')
  assert.deepEqual(kidsOf(keys, NOW + HOUR), [old, waiting, kid])
  assert.deepEqual(kidsOf(keys, NOW + HOUR + 25 * HOUR), [kid])
  const states = keys.lives(NOW + 3 * DAY).map(({ state }) => state)
  assert.deepEqual(states, ['retired', 'retired', 'signing'])
})

test('after a rotation by hand the next one is due a whole interval later', async (t) => {
  const { store, keys } = await started(t)
  await keys.rotate(NOW + DAY, 'now')
  await keys.refresh(NOW + 30 * DAY - 1)
  assert.equal((await store.listKeys()).length, 2)
  await keys.refresh(NOW + 30 * DAY)
  assert.equal((await store.listKeys()).length, 3)
})

test('a wrong secret changes nothing', async (t) => {
  const { store } = await started(t)
  const wrong = keysOf(store, { secret: 'another secret of at least thirty-two ch' })
  await assert.rejects(wrong.rotate(NOW, 'now'), { message: /keys\.secret does not open/ })
  assert.equal((await store.listKeys()).length, 1)
})

test('of two rotations at one moment one is made, and the other says so', async (t) => {
  const { store } = await started(t)
  const [one, two] = [keysOf(store), keysOf(store)]
  const done = await Promise.allSettled([one.rotate(NOW, 'now'), two.rotate(NOW, 'now')])
  assert.deepEqual(done.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  assert.equal((await store.listKeys()).length, 2)
})

test('a broker that writes at this moment is waited for', async (t) => {
  const path = join(scratch(t), 'state.db')
  const store = openSqlite(path)
  t.after(() => store.close())
  const keys = keysOf(store)
  await keys.refresh(NOW)
  const broker = new DatabaseSync(path)
  t.after(() => broker.close())
  broker.exec('BEGIN IMMEDIATE')
  const rotated = keys.rotate(NOW, 'now')
  await settle()
  broker.exec('COMMIT')
  const { kid } = await rotated
  assert.equal(keys.signer(NOW).kid, kid)
})

/**
 * Two replicas that read the store every minute, half a minute apart, sign a token every ten seconds each; a verifier
 * keeps what the second one publishes.
 * @returns for how long it met keys that it did not know, seconds
 */
async function unknownFor(
  store: Store,
  rotate: { readonly at: number; readonly how: 'led' | 'now' },
  until: number,
): Promise<number> {
  const replicas = [keysOf(store), keysOf(store)] as const
  for (const replica of replicas) await replica.refresh(NOW)
  let cached = new Set(kidsOf(replicas[1], NOW))
  let unknown = 0
  for (let now = NOW; now < until; now += 10) {
    if (now === rotate.at) await keysOf(store).rotate(now, rotate.how)
    if (now % MINUTE === 0) await replicas[0].refresh(now)
    if (now % MINUTE === 30) await replicas[1].refresh(now)
    if (now % CACHE === 0) cached = new Set(kidsOf(replicas[1], now))
    if (replicas.some((replica) => !cached.has(replica.signer(now).kid))) unknown += 10
  }
  return unknown
}

test('under load no verifier with cached keys meets an unknown one, when the lead is kept', async (t) => {
  const { store } = await started(t)
  assert.equal(await unknownFor(store, { at: NOW + 1230, how: 'led' }, NOW + 2 * DAY), 0)
  assert.equal(keysOf(store) && (await store.listKeys()).length, 2, 'it did rotate')
})

test('at once: a verifier that does not read again may refuse for its cache and a minute, no longer', async (t) => {
  const { store } = await started(t)
  const refused = await unknownFor(store, { at: NOW + 1230, how: 'now' }, NOW + 2 * HOUR)
  assert.ok(refused > 0 && refused <= CACHE + MINUTE, `${refused} s`)
})
