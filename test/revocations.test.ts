/** The view of what was revoked: what it stops, how it is kept, and when it says nothing. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { openRevocations } from '../src/revocations.ts'
import { openSqlite } from '../src/store/sqlite.ts'
import { REVOCATION_PAGE, type Store } from '../src/store/store.ts'
import { revocation } from './store/taken.ts'
import { settle, TestClock } from './world/clock.ts'

/** Two replicas on one store of which only the first is told of changes, and a store that can be made to fail. */
async function stage(t: TestContext, change: Partial<Store> = {}) {
  const store = { ...openSqlite(':memory:'), ...change }
  const clock = new TestClock()
  const world = { fails: false, reads: 0, warned: 0, monotonic: 0 }
  const seen: Store = {
    ...store,
    listRevocations: async (after) => {
      world.reads += 1
      if (world.fails) throw new Error('the database is away')
      return store.listRevocations(after)
    },
    onChange: () => () => {},
  }
  const warn = () => {
    world.warned += 1
  }
  const room = { timers: clock.timers, now: clock.now, stopwatch: () => world.monotonic, warn }
  const first = await openRevocations({ ...room, store })
  const second = await openRevocations({ ...room, store: seen })
  t.after(async () => {
    first.close()
    second.close()
    await store.close()
  })
  /** The pace of the monotonic clock is that of the other. */
  const pass = async (seconds: number) => {
    for (let left = seconds * 2; left > 0; left -= 1) {
      world.monotonic += 500
      clock.advance(0.5)
      await settle()
    }
  }
  return { store, clock, world, first, second, pass, now: clock.seconds() }
}

const lifting = (at: number) => ({ name: 'a', at, until: at + 90_000, by: 'x', reason: 'y' })

test('what is in force stops whatever bears its name, of any time', async (t) => {
  const { first, now } = await stage(t)
  await first.revoke(revocation('a', { at: now }))
  for (const issuedAt of [0, now, now + 1e6]) {
    assert.equal(first.revoked(['x', 'a'], issuedAt)?.name, 'a')
  }
  assert.equal(first.revoked(['x', 'y'], now), null)
  assert.equal(first.revoked([], now), null)
})

/** Seconds from the lifting to the issuing, and whether it is stopped. */
for (const [later, stopped] of [
  [-1000, true],
  [-1, true],
  [0, true],
  [1, false],
  [1000, false],
] as const) {
  const which = `issued ${later} s after the lifting`
  test(`a lifted name ${stopped ? 'still stops' : 'stops no more'} what was ${which}`, async (t) => {
    const { first, now } = await stage(t)
    await first.revoke(revocation('a', { at: now - 50 }))
    await first.lift(lifting(now))
    assert.equal(first.revoked(['a'], now + later) !== null, stopped)
  })
}

test('while nothing is revoked no name is looked at', async (t) => {
  const { first, now } = await stage(t)
  const names = {
    [Symbol.iterator]() {
      throw new Error('looked at')
    },
  }
  assert.equal(first.revoked(names as Iterable<string>, now), null)
})

test('a replica that is told of nothing sees a revocation and its lifting within half a second', async (t) => {
  const { first, second, pass, now } = await stage(t)
  await first.revoke(revocation('a', { at: now }))
  assert.equal(second.revoked(['a'], now), null)
  await pass(0.5)
  assert.equal(second.revoked(['a'], now)?.name, 'a')
  await first.lift(lifting(now))
  await pass(0.5)
  assert.equal(second.revoked(['a'], now + 1), null)
  assert.equal(second.sequence(), first.sequence())
})

test('a replica that is told reads at once', async (t) => {
  const { store, first, now } = await stage(t)
  await store.revoke(revocation('a', { at: now }))
  await settle()
  assert.equal(first.revoked(['a'], now)?.name, 'a')
})

test('a view of 30 s answers, an older one refuses, and one read makes it good again', async (t) => {
  const { second, world, pass } = await stage(t)
  world.fails = true
  await pass(30)
  second.insist()
  await pass(0.5)
  assert.throws(() => second.insist(), {
    reason: 'revocations_stale',
    detail: { ageSeconds: 30.5 },
  })
  assert.equal(second.status().ageSeconds, 30.5)
  assert.equal(world.warned, 1, 'not with every try')
  world.fails = false
  await pass(0.5)
  second.insist()
})

test('the age of a view is counted from the start of the read', async (t) => {
  const { second, world } = await stage(t)
  world.monotonic += 1_000
  const reading = second.refresh()
  world.monotonic += 31_000
  await reading
  assert.equal(second.status().ageSeconds, 31)
  assert.throws(() => second.insist(), { reason: 'revocations_stale' })
})

test('whoever asks for a read while one is under way gets a later one', async (t) => {
  const { first, second, world, now } = await stage(t)
  const before = world.reads
  const reads = [second.refresh()]
  await first.revoke(revocation('a', { at: now }))
  reads.push(second.refresh(), second.refresh())
  await Promise.all(reads)
  assert.equal(second.revoked(['a'], now)?.name, 'a')
  assert.equal(world.reads - before, 2)
})

test('many revocations are read page by page', async (t) => {
  const { store, second, now } = await stage(t)
  const count = 2 * REVOCATION_PAGE + 3
  await Promise.all(Array.from({ length: count }, (_, n) => store.revoke(revocation(`n${n}`))))
  await second.refresh()
  assert.equal(second.status().inForce, count)
  assert.equal(second.standing(now).length, count)
})

test('a store that was put back in time replaces the view', async (t) => {
  const { second, store, now } = await stage(t)
  await store.revoke(revocation('a', { at: now }))
  await store.revoke(revocation('b', { at: now }))
  await second.refresh()
  const { records } = await store.listRevocations(0)
  const [kept] = records
  assert.ok(kept)
  // What a backup would hold: the first of the two.
  store.listRevocations = async (after) => ({
    records: after < kept.sequence ? [kept] : [],
    upTo: kept.sequence,
    latest: kept.sequence,
  })
  await second.refresh()
  assert.equal(second.revoked(['a'], now)?.name, 'a')
  assert.equal(second.revoked(['b'], now), null)
  assert.equal(second.sequence(), kept.sequence)
})

test('what is over is forgotten, a little with every read', async (t) => {
  const { first, second, pass, now } = await stage(t)
  await first.revoke(revocation('over', { until: now + 10 }))
  await first.revoke(revocation('live', { until: now + 1_000 }))
  await pass(0.5)
  assert.equal(second.status().inForce, 2)
  assert.deepEqual(
    second.standing(now + 11).map(({ name }) => name),
    ['live'],
  )
  await pass(12)
  assert.equal(second.status().inForce, 1)
  assert.equal(second.revoked(['over'], now), null)
  assert.equal(second.revoked(['live'], now)?.name, 'live')
})

test('closed, it reads no more', async (t) => {
  const { clock, second, first, pass, world } = await stage(t)
  first.close()
  second.close()
  const before = world.reads
  await pass(5)
  assert.deepEqual([world.reads, clock.pending()], [before, []])
})

test('a store that cannot be read at the start is an error', async (t) => {
  const { store, clock, world } = await stage(t)
  const broken = { ...store, listRevocations: async () => Promise.reject(new Error('away')) }
  const room = { timers: clock.timers, now: clock.now, stopwatch: () => 0, warn: () => {} }
  await assert.rejects(openRevocations({ ...room, store: broken }), { message: 'away' })
  assert.equal(world.warned, 0)
})
