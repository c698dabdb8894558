import assert from 'node:assert/strict'
import { test } from 'node:test'
import { random } from './differential/random.ts'
import { cast, emptyTally, POLICIES, runSequence, SETTINGS } from './narrowing/sequences.ts'
import { startDelegation } from './world/delegation.ts'

test('property: whatever is exchanged, by whom and how often, nothing widens', async (t) => {
  const world = await startDelegation(t, { settings: SETTINGS, policies: POLICIES })
  const players = cast(world)
  const tally = emptyTally()
  const by = random(7)
  while (tally.sequences < 300) await runSequence(players, by, tally)
  assert.ok(tally.issued > 200, 'enough is issued to mean something')
  assert.ok(tally.deepest >= 3)
  t.diagnostic(
    `${tally.sequences} sequences, ${tally.issued} tokens of ${tally.exchanges} exchanges`,
  )
})
