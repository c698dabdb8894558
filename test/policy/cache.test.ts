import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCache } from '../../src/policy/cache.ts'

test('a cache makes what it does not remember, and forgets what was not asked for longest', () => {
  const made: string[] = []
  const cache = createCache<string>(4)
  const ask = (key: string) =>
    cache.recall(key, () => {
      made.push(key)
      return key.toUpperCase()
    })
  assert.equal(ask('a'), 'A')
  for (const key of ['b', 'a', 'c', 'a', 'd', 'a', 'e', 'a']) ask(key)
  assert.deepEqual(made, ['a', 'b', 'c', 'd', 'e'])
  ask('b')
  assert.deepEqual(made, ['a', 'b', 'c', 'd', 'e', 'b'])
})

test('what could not be made is not remembered', () => {
  const cache = createCache<string>(4)
  const fail = () => {
    throw new Error('no')
  }
  assert.throws(() => cache.recall('a', fail))
  assert.equal(
    cache.recall('a', () => 'yes'),
    'yes',
  )
})
