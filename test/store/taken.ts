/** What every store must do about pins and revocations. One call for each implementation. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { REVOCATION_PAGE, type Revocation, type Store } from '../../src/store/store.ts'
import type { OpenStore } from './suite.ts'

export function revocation(name: string, changes: Partial<Revocation> = {}): Revocation {
  return {
    kind: 'sub',
    name,
    target: `k8s://${name}`,
    at: 1_000,
    until: null,
    liftedAt: null,
    by: 'operator',
    reason: 'leaked',
    ...changes,
  }
}

const LIFTING = { at: 2_000, until: 3_000, by: 'another', reason: 'mended' }

async function opened(t: TestContext, prepare: OpenStore): Promise<Store> {
  const store = await (await prepare(t))()
  t.after(() => store.close())
  return store
}

export function pinSuite(name: string, prepare: OpenStore): void {
  test(`${name}: the first holder keeps a pin, also after a restart`, async (t) => {
    const open = await prepare(t)
    const first = await open()
    assert.equal(await first.pin('token', 'alice', 100), 'alice')
    assert.equal(await first.pin('token', 'mallory', 100), 'alice')
    await first.close()
    const second = await open()
    t.after(() => second.close())
    assert.equal(await second.pin('token', 'mallory', 100), 'alice')
    assert.equal(await second.pin('token', 'alice', 100), 'alice')
  })

  test(`${name}: of many that pin the same evidence in one turn, the first wins`, async (t) => {
    const store = await opened(t, prepare)
    await store.pin('b', 'before', 100)
    const asked = ['z', 'b', 'a', 'z', 'c', 'a']
    const holders = await Promise.all(asked.map((key, n) => store.pin(key, `holder-${n}`, 100.5)))
    assert.deepEqual(holders, [
      'holder-0',
      'before',
      'holder-2',
      'holder-0',
      'holder-4',
      'holder-2',
    ])
  })

  test(`${name}: pruning forgets only pins that are over`, async (t) => {
    const store = await opened(t, prepare)
    await store.pin('over', 'first', 50)
    await store.pin('live', 'first', 51)
    await store.prune(51, 0)
    assert.equal(await store.pin('over', 'second', 60), 'second')
    assert.equal(await store.pin('live', 'second', 60), 'first')
  })
}

export function revocationSuite(name: string, prepare: OpenStore): void {
  test(`${name}: a revocation is read again after a restart, as it was made`, async (t) => {
    const open = await prepare(t)
    const first = await open()
    const token = revocation('token-1', { kind: 'token', until: 1_900 })
    const made = [await first.revoke(token), await first.revoke(revocation('sub-1'))]
    await first.close()
    const second = await open()
    t.after(() => second.close())
    const page = await second.listRevocations(0)
    assert.deepEqual(page.records, made)
    const [one, two] = page.records
    assert.deepEqual({ ...token, sequence: one?.sequence }, one)
    assert.ok(one && two && one.sequence < two.sequence)
    assert.equal(page.upTo, two.sequence)
    assert.equal(page.latest, two.sequence)
    assert.deepEqual(await second.listRevocations(two.sequence), {
      records: [],
      upTo: two.sequence,
      latest: two.sequence,
    })
  })

  test(`${name}: a store without revocations has told everything`, async (t) => {
    const store = await opened(t, prepare)
    const { records, upTo, latest } = await store.listRevocations(0)
    assert.deepEqual([records, upTo], [[], latest])
  })

  test(`${name}: a lifted name keeps its record, and every change has a higher sequence`, async (t) => {
    const store = await opened(t, prepare)
    const made = await store.revoke(revocation('a'))
    const lifted = await store.lift({ name: 'a', ...LIFTING })
    assert.ok(lifted)
    assert.deepEqual(lifted, {
      ...made,
      liftedAt: 2_000,
      until: 3_000,
      by: 'another',
      reason: 'mended',
      sequence: lifted.sequence,
    })
    assert.ok(lifted.sequence > made.sequence)
    assert.deepEqual((await store.listRevocations(made.sequence)).records, [lifted])
    const again = await store.revoke(revocation('a', { at: 2_500 }))
    assert.deepEqual([again.liftedAt, again.until, again.at], [null, null, 2_500])
    assert.ok(again.sequence > lifted.sequence)
    assert.deepEqual((await store.listRevocations(0)).records, [again], 'one record a name')
  })

  test(`${name}: what is not in force is not lifted`, async (t) => {
    const store = await opened(t, prepare)
    assert.equal(await store.lift({ name: 'never', ...LIFTING }), null)
    await store.revoke(revocation('a'))
    assert.ok(await store.lift({ name: 'a', ...LIFTING }))
    const { latest } = await store.listRevocations(0)
    assert.equal(await store.lift({ name: 'a', ...LIFTING, at: 2_001 }), null)
    assert.equal((await store.listRevocations(0)).latest, latest)
  })

  test(`${name}: who revokes again for a shorter time shortens nothing`, async (t) => {
    const store = await opened(t, prepare)
    const ends: readonly (readonly [number | null, number | null])[] = [
      [1_500, 1_500],
      [1_400, 1_500],
      [1_600, 1_600],
      [null, null],
      [1_700, null],
    ]
    for (const [until, kept] of ends) {
      const record = await store.revoke(revocation('a', { until }))
      assert.equal(record.until, kept, String(until))
    }
  })

  test(`${name}: a reader that goes on from where it was gets every page once`, async (t) => {
    const store = await opened(t, prepare)
    const count = REVOCATION_PAGE + 7
    await Promise.all(Array.from({ length: count }, (_, n) => store.revoke(revocation(`n${n}`))))
    const first = await store.listRevocations(0)
    assert.equal(first.records.length, REVOCATION_PAGE)
    assert.equal(first.upTo, first.records.at(-1)?.sequence)
    assert.ok(first.upTo < first.latest)
    const rest = await store.listRevocations(first.upTo)
    assert.equal(rest.records.length, 7)
    assert.equal(rest.upTo, rest.latest)
    const names = new Set([...first.records, ...rest.records].map((record) => record.name))
    assert.equal(names.size, count)
  })

  test(`${name}: pruning drops what is over, and the sequence does not go back`, async (t) => {
    const store = await opened(t, prepare)
    await store.revoke(revocation('live', { until: 51 }))
    await store.revoke(revocation('forever'))
    const over = await store.revoke(revocation('over', { until: 50 }))
    await store.prune(51, 0)
    const { records, latest } = await store.listRevocations(0)
    assert.deepEqual(
      records.map((record) => record.name),
      ['live', 'forever'],
    )
    assert.equal(latest, over.sequence)
    assert.ok((await store.revoke(revocation('next'))).sequence > over.sequence)
  })

  test(`${name}: sequences are ahead of the clock, so that a restored store does not repeat them`, async (t) => {
    const store = await opened(t, prepare)
    const early = await store.revoke(revocation('a', { at: 1_000 }))
    const late = await store.revoke(revocation('b', { at: 5_000 }))
    const behind = await store.revoke(revocation('c', { at: 4_000 }))
    assert.deepEqual(
      [early, late, behind].map(({ sequence }) => sequence),
      [1_000_000, 5_000_000, 5_000_001],
    )
  })

  test(`${name}: who listens hears of a revocation and of its lifting`, async (t) => {
    const store = await opened(t, prepare)
    for (const change of [
      () => store.revoke(revocation('a')),
      () => store.lift({ name: 'a', ...LIFTING }),
    ]) {
      const heard = new Promise<void>((resolve) => {
        const end = store.onChange((topic) => {
          if (topic !== 'revocations') return
          end()
          resolve()
        })
      })
      await change()
      await heard
    }
  })
}
