/**
 * `npm run test:narrowing -- [--sequences N] [--seed N]`: sequences of exchanges made by chance. Nothing widens. Each
 * processor has its share, in a process of its own with a seed of its own.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { random } from '../differential/random.ts'
import { startDelegation } from '../world/delegation.ts'
import { cast, emptyTally, POLICIES, runSequence, SETTINGS, type Tally } from './sequences.ts'

/** A broker in memory keeps its events: it is made anew now and then. */
const SEQUENCES_A_WORLD = 2_000

const { values } = parseArgs({
  options: {
    sequences: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '20261121' },
    share: { type: 'boolean', default: false },
  },
})
const [sequences, seed] = [Number(values.sequences), Number(values.seed)]
if (values.share) process.stdout.write(JSON.stringify(written(await runShare(sequences, seed))))
else await runAll()

async function runShare(count: number, from: number): Promise<Tally> {
  const by = random(from)
  const tally = emptyTally()
  while (tally.sequences < count) {
    const ends: (() => unknown)[] = []
    const world = await startDelegation(
      { after: (end: () => unknown) => ends.push(end) },
      { settings: SETTINGS, policies: POLICIES },
    )
    const players = cast(world)
    const upTo = Math.min(count, tally.sequences + SEQUENCES_A_WORLD)
    while (tally.sequences < upTo) await runSequence(players, by, tally)
    for (const end of ends.reverse()) await end()
  }
  return tally
}

async function runAll(): Promise<void> {
  const started = performance.now()
  const processes = availableParallelism()
  const share = Math.ceil(sequences / processes)
  const shares = await Promise.all(
    Array.from({ length: processes }, (_, index) => childShare(share, seed + index)),
  )
  const all = shares.reduce(added, emptyTally())
  const refused = [...all.refused].sort((a, b) => b[1] - a[1])
  process.stdout.write(
    [
      `narrowing: seeds from ${seed}, ${all.sequences} sequences, ${all.exchanges} exchanges, ${all.issued} tokens (${Math.round((performance.now() - started) / 1000)} s)`,
      `  none wider than what it came of; the deepest chain had ${all.deepest} actors`,
      `  refused: ${refused.map(([reason, count]) => `${reason} ${count}`).join(', ')}`,
      '',
    ].join('\n'),
  )
}

/** @throws Error when a share fails: its own output says why */
async function childShare(count: number, from: number): Promise<Tally> {
  const args = ['--share', '--sequences', String(count), '--seed', String(from)]
  const child = spawn(process.execPath, [import.meta.filename, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`the share of seed ${from} failed`)
  const { refused, ...counts } = JSON.parse(output) as ReturnType<typeof written>
  return { ...counts, refused: new Map(refused) }
}

function written(tally: Tally) {
  return { ...tally, refused: [...tally.refused] }
}

function added(a: Tally, b: Tally): Tally {
  const refused = new Map(a.refused)
  for (const [reason, count] of b.refused) refused.set(reason, (refused.get(reason) ?? 0) + count)
  return {
    sequences: a.sequences + b.sequences,
    exchanges: a.exchanges + b.exchanges,
    issued: a.issued + b.issued,
    deepest: Math.max(a.deepest, b.deepest),
    refused,
  }
}
