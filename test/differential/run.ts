/**
 * `npm run test:differential -- [--pairs N] [--seed N]`: generated policies on generated requests, decided by our
 * evaluator and by the official engine. Decision, determining policies and erring policies have to be the same.
 */

import { parseArgs } from 'node:util'
import { generate, ours } from './cases.ts'
import { operatorsOf } from './grammar.ts'
import { random } from './random.ts'
import { counterExample } from './shrink.ts'

const POLICIES = 125
const REQUESTS = 8

function main(): number {
  const { values } = parseArgs({
    options: {
      pairs: { type: 'string', default: '160000' },
      seed: { type: 'string', default: '20261121' },
    },
  })
  const seed = Number(values.seed)
  const by = random(seed)
  const seen = new Map<string, number>()
  const counts = { pairs: 0, applied: 0, failed: 0, allowed: 0, requests: 0 }
  const started = performance.now()
  process.stdout.write(`differential: seed ${seed}\n`)
  while (counts.pairs < Number(values.pairs)) {
    const { samples, requests } = generate(by, POLICIES, REQUESTS)
    const answer = ours(samples)
    for (const input of requests) {
      const mine = answer(input.ours)
      if (JSON.stringify(mine) !== JSON.stringify(input.official)) {
        process.stdout.write(`the engines differ:\n${counterExample(samples, input)}\n`)
        return 1
      }
      counts.requests += 1
      counts.allowed += mine.decision === 'allow' ? 1 : 0
      counts.applied += mine.reasons.length
      counts.failed += mine.errors.length
    }
    counts.pairs += samples.length * requests.length
    for (const { body } of samples) {
      for (const operator of new Set(operatorsOf(body))) {
        seen.set(operator, (seen.get(operator) ?? 0) + requests.length)
      }
    }
  }
  const operators = [...seen].sort((a, b) => b[1] - a[1]).map(([name, count]) => `${name} ${count}`)
  process.stdout.write(
    [
      `differential: ${counts.pairs} pairs of policy and request agree (${Math.round((performance.now() - started) / 1000)} s)`,
      `  applied ${counts.applied}, failed ${counts.failed}; ${counts.requests} requests, ${counts.allowed} of them allowed`,
      `  pairs by operator: ${operators.join(', ')}`,
      '',
    ].join('\n'),
  )
  return 0
}

process.exitCode = main()
