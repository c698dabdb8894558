/**
 * `node test/bench/policy.ts [--quick] [--json FILE]`: what a decision costs, beside one RS256 verification in the
 * same run. Three scopes a request, at 10, 1,000 and 10,000 policies (see `mix.ts`). The official engine gets
 * the same requests with the policies that matter to them already picked out, parsed and handed over.
 */

import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { decide } from '../../src/policy/decide.ts'
import { requestOf } from '../../src/policy/request.ts'
import { standingOf } from '../../src/policy/standing.ts'
import { writeRequest } from '../differential/json.ts'
import { CEDAR, type World, world } from './mix.ts'

const SIZES = [10, 1_000, 10_000] as const

/** What a decision may cost, as parts of one RS256 verification. */
const TARGETS: Readonly<Record<number, number>> = { 10: 0.7, 10000: 1.3 }

/** Something to measure: does its work `times` times. */
type Contender = {
  readonly name: string
  readonly times: number
  readonly run: (times: number) => void
}

function verification(times: number): Contender {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const message = randomBytes(900).toString('base64url')
  const signature = sign('sha256', Buffer.from(message), privateKey)
  return {
    name: 'RS256 verification',
    times,
    run: (count) => {
      for (let done = 0; done < count; done++) {
        if (!verify('sha256', Buffer.from(message), publicKey, signature))
          throw new Error('The signature does not hold.')
      }
    },
  }
}

function ours({ size, generation, questions }: World, times: number): Contender {
  let next = 0
  return {
    name: `decide, ${size} policies`,
    times,
    run: (count) => {
      for (let done = 0; done < count; done++) {
        const asked = questions[next++ % questions.length]
        if (asked) decide(asked, generation)
      }
    },
  }
}

/** The official engine with everything prepared that can be: it is asked once for each scope. */
function official({ size, generation, questions }: World, times: number): Contender {
  const calls = questions.slice(0, 50).map((asked, index) => {
    const standing = standingOf(asked.actor, asked.audience, generation)
    const policies = new Set(
      [...standing.offers.values()].flatMap(({ enforced }) => enforced.map(({ id }) => id)),
    )
    const slot = `${size}-${index}`
    const staticPolicies = Object.fromEntries(
      [...policies].map((id) => [id, generation.policies.get(id)?.text ?? '']),
    )
    if (CEDAR.preparsePolicySet(slot, { staticPolicies }).type === 'failure')
      throw new Error('The slice does not parse.')
    const request = writeRequest(requestOf(asked, generation, standing), standing)
    return { request, slot, scopes: asked.scopes }
  })
  let next = 0
  return {
    name: `official engine, sliced, ${size} policies`,
    times,
    run: (count) => {
      for (let done = 0; done < count; done++) {
        const call = calls[next++ % calls.length]
        for (const id of call?.scopes ?? []) {
          if (call)
            CEDAR.statefulIsAuthorized({
              ...call.request,
              action: { type: 'Action', id },
              preparsedPolicySetId: call.slot,
            })
        }
      }
    },
  }
}

/** Median microseconds of one run of each, over rounds in which all take their turn. */
function compete(contenders: readonly Contender[], rounds: number): Map<string, number> {
  for (const { run, times } of contenders) run(times)
  const taken = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const { name, times, run } of contenders) {
      const started = performance.now()
      run(times)
      taken.get(name)?.push(((performance.now() - started) * 1000) / times)
    }
  }
  return new Map([...taken].map(([name, all]) => [name, median(all)]))
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** What the requests of a world meet, so that nobody has to guess what was measured. */
function described({ size, generation, questions }: World): string {
  const slices = questions.slice(0, 500).map((asked) => {
    const { offers } = standingOf(asked.actor, asked.audience, generation)
    return new Set([...offers.values()].flatMap(({ enforced }) => enforced.map(({ id }) => id)))
      .size
  })
  const granted = questions.slice(0, 500).map((asked) => decide(asked, generation).granted.length)
  const mean = granted.reduce((sum, count) => sum + count, 0) / granted.length
  return `${size} policies: ${median(slices)} in the median slice, ${Math.max(...slices)} in the greatest; ${mean.toFixed(1)} of 3 scopes granted`
}

function main(): number {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
  })
  const worlds = SIZES.map(world)
  const scale = values.quick ? 1 : 3
  const reference = verification(700 * scale)
  const contenders = [
    reference,
    ...worlds.map((each) => ours(each, 1500 * scale)),
    ...worlds.map((each) => official(each, 15 * scale)),
  ]
  const medians = compete(contenders, values.quick ? 7 : 15)
  const unit = medians.get(reference.name) ?? Number.NaN
  const rows = [...medians].map(([name, microseconds]) => ({
    name,
    microseconds,
    ratio: microseconds / unit,
  }))
  const missed = SIZES.filter((size) => {
    const row = rows.find(({ name }) => name === `decide, ${size} policies`)
    return (row?.ratio ?? Number.NaN) > (TARGETS[size] ?? Number.POSITIVE_INFINITY)
  })
  process.stdout.write(
    [
      ...worlds.map(described),
      '',
      ...rows.map(
        ({ name, microseconds, ratio }) =>
          `${name.padEnd(42)} ${microseconds.toFixed(1).padStart(9)} µs  ${ratio.toFixed(2).padStart(7)} × RS256`,
      ),
      '',
      missed.length === 0
        ? 'within the targets'
        : `over the target at ${missed.join(', ')} policies`,
      '',
    ].join('\n'),
  )
  if (values.json !== undefined)
    writeFileSync(values.json, JSON.stringify({ rows, targets: TARGETS }, null, 2))
  return missed.length === 0 ? 0 : 1
}

process.exitCode = main()
