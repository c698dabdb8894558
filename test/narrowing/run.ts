/**
 * `npm run test:narrowing -- [--sequences N] [--seed N]`: sequences of exchanges made by chance. Nothing widens.
 */

import { parseArgs } from 'node:util'
import { random } from '../differential/random.ts'
import { startDelegation } from '../world/delegation.ts'
import { cast, emptyTally, POLICIES, runSequence, SETTINGS } from './sequences.ts'

/** A broker in memory keeps its events: it is made anew now and then. */
const SEQUENCES_A_WORLD = 2_000

const { values } = parseArgs({
  options: {
    sequences: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '20261121' },
  },
})
const by = random(Number(values.seed))
const tally = emptyTally()
const started = performance.now()
while (tally.sequences < Number(values.sequences)) {
  const ends: (() => unknown)[] = []
  const world = await startDelegation(
    { after: (end: () => unknown) => ends.push(end) },
    { settings: SETTINGS, policies: POLICIES },
  )
  const players = cast(world)
  for (let n = 0; n < SEQUENCES_A_WORLD; n += 1) await runSequence(players, by, tally)
  for (const end of ends.reverse()) await end()
}
const refused = [...tally.refused]
  .sort((a, b) => b[1] - a[1])
  .map(([reason, n]) => `${reason} ${n}`)
process.stdout.write(
  [
    `narrowing: seed ${values.seed}, ${tally.sequences} sequences, ${tally.exchanges} exchanges, ${tally.issued} tokens (${Math.round((performance.now() - started) / 1000)} s)`,
    `  none wider than what it came of; the deepest chain had ${tally.deepest} actors`,
    `  refused: ${refused.join(', ')}`,
    '',
  ].join('\n'),
)
