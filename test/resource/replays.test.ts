/** What a resource server remembers of the proofs it has seen. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replayMemory } from '../../src/resource/replays.ts'

const NOW = 1_800_000_000

test('a proof is first once, until it is over', () => {
  const memory = replayMemory()
  assert.equal(memory.isFirst('a', NOW + 60, NOW), true)
  assert.equal(memory.isFirst('a', NOW + 60, NOW + 59), false)
  assert.equal(memory.isFirst('b', NOW + 60, NOW + 59), true)
  assert.equal(memory.isFirst('a', NOW + 120, NOW + 60), true)
})

test('of more than it holds, the oldest are forgotten', () => {
  const memory = replayMemory(2)
  for (const proof of ['a', 'b', 'c']) memory.isFirst(proof, NOW + 60, NOW)
  assert.deepEqual(
    ['c', 'b', 'a'].map((proof) => memory.isFirst(proof, NOW + 60, NOW)),
    [false, false, true],
  )
})

test('what is over makes room first', () => {
  const memory = replayMemory(2)
  memory.isFirst('over', NOW + 1, NOW)
  memory.isFirst('kept', NOW + 60, NOW)
  memory.isFirst('new', NOW + 60, NOW + 1)
  assert.equal(memory.isFirst('kept', NOW + 60, NOW + 1), false)
})
