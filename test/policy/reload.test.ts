/** Loading again: only what changed is checked, and requests are answered in between. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from '../../src/policy/decide.ts'
import { loader } from '../../src/policy/load.ts'
import { inTurns } from '../../src/policy/turns.ts'
import { question, SETTINGS } from './world.ts'

const policy = (id: string, condition = 'true') =>
  `@id("${id}") @owner("a")\npermit (principal == ServiceAccount::"prod-eu/payments/settlement", action, resource)\nwhen { ${condition} };\n`

/** So little patience that no worker thread could answer: whoever asks one fails. */
const ASKING_NOBODY = { patience: 0.1 }

test('a policy that did not change is not checked again, wherever it moved', async () => {
  const kept = loader(SETTINGS)
  const [one, two] = [policy('one'), policy('two', 'context.requestedTtl < 60')]
  const first = await kept.load([
    { path: 'a.cedar', text: one },
    { path: 'b.cedar', text: two },
  ])
  assert.ok('generation' in first)
  const moved = await kept.load([{ path: 'c.cedar', text: `\n${two}${one}` }], ASKING_NOBODY)
  assert.ok('generation' in moved)
  assert.equal(moved.generation.policies.get('one')?.line, 5)
  assert.equal(moved.generation.policies.get('two')?.path, 'c.cedar')
  const less = await kept.load([{ path: 'c.cedar', text: two }], ASKING_NOBODY)
  assert.ok('generation' in less)
  assert.equal(decide(question(), less.generation).permitted, false)
  assert.equal(decide(question(), first.generation).permitted, true)
  const changed = [{ path: 'c.cedar', text: policy('three', 'false') }]
  await assert.rejects(kept.load(changed, ASKING_NOBODY), /could not be checked/)
  assert.ok('generation' in (await kept.load(changed)), 'a load that failed spoils no later one')
})

test('a policy with an error is checked again: it may have been short of time', async () => {
  const kept = loader(SETTINGS)
  const files = [{ path: 'a.cedar', text: policy('one', 'context.nothing') }]
  assert.ok('problems' in (await kept.load(files)))
  await assert.rejects(kept.load(files, ASKING_NOBODY), /could not be checked/)
})

test('long work lets others have their turn, in the order of the items', async () => {
  const done: number[] = []
  let others = 0
  let working = true
  const other = () => {
    others++
    if (working) setImmediate(other)
  }
  setImmediate(other)
  const items = Array.from({ length: 100 }, (_, index) => index)
  await inTurns(
    items,
    () => 1000,
    (item) => void done.push(item),
  )
  working = false
  assert.deepEqual(done, items)
  assert.ok(others >= 4, `${others} turns`)
})
