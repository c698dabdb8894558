/** What every store must do. One call for each implementation. */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import type { KeyRecord, Store } from '../../src/store/store.ts'

/** Opens the same database each time it is called within one test. */
export type OpenStore = (t: TestContext) => Promise<() => Promise<Store>>

export function keyRecord(sequence: number): KeyRecord {
  return {
    kid: `kid-${sequence}-${randomUUID()}`,
    sequence,
    createdAt: 1000 * sequence,
    signsFrom: 1000 * sequence + 500,
    publicJwk: '{"kty":"EC"}',
    sealedPrivate: Uint8Array.of(1, 2, 3),
  }
}

export function storeSuite(name: string, prepare: OpenStore): void {
  test(`${name}: evidence is spent once, also after a restart`, async (t) => {
    const open = await prepare(t)
    const first = await open()
    assert.equal(await first.spend('a', 100), true)
    assert.equal(await first.spend('a', 100), false)
    await first.close()
    const second = await open()
    t.after(() => second.close())
    assert.equal(await second.spend('a', 100), false)
    assert.equal(await second.spend('b', 100), true)
  })

  test(`${name}: of many that spend the same evidence in one turn, one wins`, async (t) => {
    const store = await (await prepare(t))()
    t.after(() => store.close())
    const answers = await Promise.all(Array.from({ length: 50 }, () => store.spend('same', 100)))
    assert.equal(answers.filter(Boolean).length, 1)
    assert.equal(answers[0], true)
  })

  test(`${name}: a decision is found again after a restart, until its retention ends`, async (t) => {
    const open = await prepare(t)
    const first = await open()
    await Promise.all([
      first.keepDecision({ id: 'old', at: 10, event: '{"n":1}' }),
      first.keepDecision({ id: 'new', at: 20, event: '{"n":2}' }),
    ])
    await first.close()
    const second = await open()
    t.after(() => second.close())
    assert.equal(await second.findDecision('old', 10), '{"n":1}')
    assert.equal(await second.findDecision('old', 11), null, 'past its retention, pruned or not')
    await second.prune(0, 20)
    assert.equal(await second.findDecision('old', 0), null)
    assert.equal(await second.findDecision('new', 0), '{"n":2}')
    assert.equal(await second.findDecision('never', 0), null)
  })

  test(`${name}: pruning forgets only evidence that is over`, async (t) => {
    const store = await (await prepare(t))()
    t.after(() => store.close())
    await store.spend('over', 50)
    await store.spend('live', 51)
    await store.prune(51, 0)
    assert.equal(await store.spend('over', 60), true)
    assert.equal(await store.spend('live', 60), false)
  })

  test(`${name}: pruning leaves nothing behind, however much is over`, async (t) => {
    const store = await (await prepare(t))()
    t.after(() => store.close())
    await Promise.all(Array.from({ length: 5_000 }, (_, n) => store.spend(`over-${n}`, 50)))
    await store.prune(51, 0)
    assert.equal(await store.spend('over-4999', 60), true)
    assert.equal(await store.spend('over-0', 60), true)
  })

  test(`${name}: a spending that is taken back can be done again`, async (t) => {
    const store = await (await prepare(t))()
    t.after(() => store.close())
    assert.equal(await store.spend('a', 100), true)
    await store.unspend('a')
    assert.equal(await store.spend('a', 100), true)
    assert.equal(await store.spend('a', 100), false)
  })

  test(`${name}: a decision that is kept again replaces the one before, and harms no other of its turn`, async (t) => {
    const store = await (await prepare(t))()
    t.after(() => store.close())
    await store.keepDecision({ id: 'x', at: 1, event: '{"n":1}' })
    await Promise.all([
      store.keepDecision({ id: 'x', at: 1, event: '{"n":2}' }),
      store.keepDecision({ id: 'y', at: 1, event: '{"n":3}' }),
    ])
    assert.equal(await store.findDecision('x', 0), '{"n":2}')
    assert.equal(await store.findDecision('y', 0), '{"n":3}')
  })

  test(`${name}: two replicas that add the next key at once make one`, async (t) => {
    const store = await (await prepare(t))()
    t.after(() => store.close())
    const [winner, loser] = [keyRecord(1), keyRecord(1)]
    assert.deepEqual([await store.addKey(winner), await store.addKey(loser)], [true, false])
    await store.addKey(keyRecord(2))
    const keys = await store.listKeys()
    assert.deepEqual(
      keys.map((key) => key.sequence),
      [1, 2],
    )
    assert.equal(keys[0]?.kid, winner.kid)
    assert.deepEqual(Buffer.from(keys[0]?.sealedPrivate ?? []), Buffer.of(1, 2, 3))
  })

  test(`${name}: a store that is closed refuses instead of forgetting`, async (t) => {
    const store = await (await prepare(t))()
    await store.close()
    await assert.rejects(store.spend('x', 1))
    await assert.rejects(store.keepDecision({ id: 'x', at: 1, event: '{}' }))
  })

  test(`${name}: in one turn each caller gets the answer to its own key`, async (t) => {
    const store = await (await prepare(t))()
    t.after(() => store.close())
    await store.spend('m', 100)
    const keys = ['z', 'm', 'a', 'z', 'b', 'a']
    const answers = await Promise.all(keys.map((key) => store.spend(key, 100.5)))
    assert.deepEqual(answers, [true, false, true, false, true, false])
  })

  test(`${name}: who listens hears of a new key, and of none that was not added`, async (t) => {
    const store = await (await prepare(t))()
    t.after(() => store.close())
    const heard: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    // A shared store also tells everything, of every topic, once it has begun to listen.
    await store.addKey(keyRecord(1))
    const end = store.onChange((topic) => {
      heard.push(topic)
      if (topic === 'signing_keys') resolve()
    })
    await store.addKey(keyRecord(2))
    await promise
    end()
    const before = heard.length
    await store.addKey(keyRecord(3))
    await store.listKeys()
    assert.equal(heard.length, before)
  })
}
