/** How platforms' APIs are asked: kept answers, batches, and patience. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Batches } from '../../attestors/batch.ts'
import { DeadlineError, within } from '../../attestors/deadline.ts'
import { Lookups } from '../../attestors/lookups.ts'
import { settle, TestClock } from '../world/clock.ts'

suite('kept answers', () => {
  test('are kept for so long and no more of them; the oldest goes first', async () => {
    const clock = new TestClock()
    const asked: string[] = []
    const lookups = new Lookups<number>({ keptMs: 1_000, most: 2 }, clock.now)
    const get = (key: string) => lookups.get(key, async () => asked.push(key))
    for (const key of ['a', 'b', 'a', 'c', 'a']) await get(key)
    assert.deepEqual([asked.join(''), lookups.size], ['abca', 2])
    clock.advance(1)
    await get('a')
    assert.equal(asked.join(''), 'abcaa')
  })

  test('are shared while they are under way, and a failure is not kept', async () => {
    const clock = new TestClock()
    let asked = 0
    const ask = async () => {
      asked += 1
      if (asked === 1) throw new Error('no')
      return asked
    }
    const lookups = new Lookups<number>({ keptMs: 1_000, most: 2 }, clock.now)
    const both = await Promise.allSettled([lookups.get('a', ask), lookups.get('a', ask)])
    assert.deepEqual(
      both.map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    assert.deepEqual([lookups.size, await lookups.get('a', ask), asked], [0, 2, 2])
  })
})

suite('a batch', () => {
  function open() {
    const calls: string[] = []
    const batches = new Batches<string>(async (ids) => {
      calls.push(ids.join(''))
      await settle()
      if (ids.includes('x')) throw new Error('no')
      return new Map(ids.filter((id) => id !== '?').map((id) => [id, id.toUpperCase()]))
    }, 2)
    return { calls, batches }
  }

  test('takes so many; what comes meanwhile goes with the next', async () => {
    const { calls, batches } = open()
    const first = ['a', 'b', 'c'].map((id) => batches.get(id))
    const later = batches.get('?')
    assert.deepEqual(await Promise.all(first), ['A', 'B', 'C'])
    assert.equal(await later, undefined)
    assert.equal(await batches.get('d'), 'D')
    assert.deepEqual(calls, ['ab', 'c?', 'd'])
  })

  test('that fails fails for those in it, and the next one goes on', async () => {
    const { calls, batches } = open()
    const three = await Promise.allSettled(['x', 'a', 'b'].map((id) => batches.get(id)))
    assert.deepEqual(
      three.map(({ status }) => status),
      ['rejected', 'rejected', 'fulfilled'],
    )
    assert.deepEqual(calls, ['xa', 'b'])
  })
})

suite('patience', () => {
  test('ends with the time, and tells the work so', async () => {
    const clock = new TestClock()
    const told = Promise.withResolvers<void>()
    const work = within(1_000, clock.timers, (signal) => {
      signal.addEventListener('abort', () => told.resolve())
      return new Promise<never>(() => {})
    })
    clock.advance(1)
    await assert.rejects(work, DeadlineError)
    await told.promise
  })

  test('leaves no timer behind, whether the work ends well or not', async () => {
    const clock = new TestClock()
    assert.equal(await within(1_000, clock.timers, async () => 7), 7)
    await assert.rejects(
      within(1_000, clock.timers, () => Promise.reject(new Error('no'))),
      /no/,
    )
    assert.deepEqual(clock.pending(), [])
  })
})
