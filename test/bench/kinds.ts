/**
 * `node test/bench/kinds.ts [--quick] [--json FILE]`: what it costs to verify the evidence of each kind, network aside,
 * beside the bare signature verifications that it cannot do without, with the same keys in the same run.
 */

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { contenders, type KindContender } from './kindcontenders.ts'

/** What verification may cost, as a multiple of the sum of its signatures. */
const TARGET = 2

/** Shorter than a time slice, so that most blocks run undisturbed on a busy machine. */
const BLOCK_MS = 1.5

type Times = { readonly whole: number[]; readonly bare: number[] }

/** Mean µs of one call over a block. */
async function timed(run: () => unknown, times: number): Promise<number> {
  const start = performance.now()
  for (let done = 0; done < times; done++) {
    const result = run()
    if (result instanceof Promise) await result
  }
  return ((performance.now() - start) * 1000) / times
}

/** What a quarter of the blocks does not need: what is above the middle is what others took of the processor. */
function quartile(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 4)] ?? Number.NaN
}

const MOST = 1_000

/** A broker has compiled what it runs within seconds; 500 calls are not enough for that. */
const WARM_MS = 400

/** How often fits into a block, once everything is compiled. */
async function fitting(run: () => unknown): Promise<number> {
  const end = performance.now() + WARM_MS
  while (performance.now() < end) await timed(run, 20)
  const start = performance.now()
  await timed(run, 50)
  const each = (performance.now() - start) / 50
  return Math.min(MOST, Math.max(2, Math.round(BLOCK_MS / each)))
}

async function measure(all: readonly KindContender[], rounds: number) {
  const times = new Map<KindContender, Times & { readonly n: number; readonly m: number }>()
  for (const each of all) {
    const [n, m] = [await fitting(each.verify), await fitting(each.bare)]
    times.set(each, { whole: [], bare: [], n, m })
  }
  for (let round = 0; round < rounds; round++) {
    for (const [{ verify, bare }, { whole, bare: signatures, n, m }] of times) {
      // The block before each one is for the processor's caches, which the other kinds have filled.
      await timed(verify, n)
      whole.push(await timed(verify, n))
      await timed(bare, m)
      signatures.push(await timed(bare, m))
    }
  }
  return times
}

type Row = {
  readonly name: string
  readonly signatures: string
  readonly microseconds: number
  readonly bareMicroseconds: number
  readonly ratio: number
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
  })
  const cleanup: (() => unknown)[] = []
  const all = await contenders({ after: (end) => void cleanup.push(end) })
  const times = await measure(all, values.quick ? 80 : 300)
  const rows = all.map((each): Row => {
    const { whole = [], bare = [] } = times.get(each) ?? {}
    return {
      name: each.name,
      signatures: each.signatures,
      microseconds: quartile(whole),
      bareMicroseconds: quartile(bare),
      ratio: quartile(whole) / quartile(bare),
    }
  })
  for (const end of cleanup) await end()
  const missed = rows.filter((row) => row.ratio > TARGET).map(({ name }) => name)
  const lines = rows.map(({ name, signatures, microseconds, bareMicroseconds, ratio }) =>
    [
      name.padEnd(28),
      `${microseconds.toFixed(1).padStart(8)} µs`,
      `${bareMicroseconds.toFixed(1).padStart(8)} µs`,
      `${ratio.toFixed(2).padStart(6)} ×  ${signatures}`,
    ].join(''),
  )
  const head = `${'evidence of'.padEnd(28)}   verified  signatures   ratio`
  const verdict =
    missed.length === 0
      ? `within the target of ${TARGET} ×`
      : `over the target of ${TARGET} ×: ${missed.join(', ')}`
  process.stdout.write(`${['', head, ...lines, '', verdict, ''].join('\n')}\n`)
  if (values.json !== undefined) {
    writeFileSync(values.json, JSON.stringify({ rows, target: TARGET }, null, 2))
  }
}

await main()
