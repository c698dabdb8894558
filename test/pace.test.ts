import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pace, together } from '../src/pace.ts'

test('calls of one turn take each stage together, in their order', async () => {
  const seen: string[] = []
  const step = pace<string>(
    () => 0,
    () => undefined,
  )
  const walk = together(async (name: string) => {
    await step('check', () => seen.push(`${name} checks`))
    await step('sign', () => seen.push(`${name} signs`))
    return name
  })
  assert.deepEqual(await Promise.all(['a', 'b', 'c'].map(walk)), ['a', 'b', 'c'])
  const expected = ['a checks', 'b checks', 'c checks', 'a signs', 'b signs', 'c signs']
  assert.deepEqual(seen, expected)
})

test('who fails or waits in a stage stops nobody else', async () => {
  const { promise: slow, resolve: release } = Promise.withResolvers<string>()
  const step = pace<string>(
    () => 0,
    () => undefined,
  )
  const walk = together((work: () => string | Promise<string>) => step('check', work))
  const waits = walk(() => slow)
  const fails = walk(() => {
    throw new Error('no')
  })
  await assert.rejects(fails, /no/)
  assert.equal(await walk(() => 'done'), 'done')
  release('late')
  assert.equal(await waits, 'late')
})

test('a crowd starts in parts, and nobody is forgotten', async () => {
  const starts: number[] = []
  let turn = 0
  const walk = together(async (index: number) => {
    starts.push(turn)
    return index
  })
  const crowd = Promise.all(Array.from({ length: 200 }, (_, index) => walk(index)))
  const count = setImmediate(function next() {
    turn += 1
    if (starts.length < 200) setImmediate(next)
  })
  const answers = await crowd
  clearImmediate(count)
  assert.deepEqual(answers, [...answers.keys()])
  assert.equal(new Set(starts).size, 4)
})

test('a stage is timed without the time in which others had their turn', async () => {
  let now = 0
  const times: [string, number][] = []
  const step = pace<string>(
    () => now,
    (stage, milliseconds) => times.push([stage, milliseconds]),
  )
  const work = () => {
    now += 5
  }
  await Promise.all([step('sign', work), step('sign', work)])
  assert.deepEqual(times, [
    ['sign', 5],
    ['sign', 5],
  ])
})
