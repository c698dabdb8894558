import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grouped } from '../../src/store/turn.ts'

test('calls of one turn are one commit, each with its own answer', async () => {
  const commits: number[][] = []
  const double = grouped((items: readonly number[]) => {
    commits.push([...items])
    return items.map((item) => item * 2)
  })
  assert.deepEqual(await Promise.all([double(1), double(2), double(3)]), [2, 4, 6])
  assert.equal(await double(4), 8)
  assert.deepEqual(commits, [[1, 2, 3], [4]])
})

test('a commit that fails fails every call of its turn, and no later one', async () => {
  let broken = true
  const call = grouped((items: readonly string[]) => {
    if (broken) throw new Error('disk full')
    return items
  })
  const outcomes = await Promise.allSettled([call('a'), call('b')])
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status),
    ['rejected', 'rejected'],
  )
  broken = false
  assert.equal(await call('c'), 'c')
})

test('a call made while a commit is under way waits for the next', async () => {
  const commits: number[] = []
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  const call = grouped(async (items: readonly number[]) => {
    commits.push(items.length)
    await gate
    return items
  })
  const first = call(1)
  await new Promise(setImmediate)
  const second = call(2)
  open()
  assert.deepEqual(await Promise.all([first, second]), [1, 2])
  assert.deepEqual(commits, [1, 1])
})
