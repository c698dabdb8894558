/**
 * Tests of policies: a Question, and what has to come of it. They run on the path of every request, `decide`,
 * and a failure is told in the words of `explain`. Pure; the files are read by `src/policytests.ts`.
 */

import { decide } from './decide.ts'
import { explain } from './explain.ts'
import type { Generation } from './generation.ts'
import type { Decision, Question } from './question.ts'
import type { Problem } from './settings.ts'

/** Where something stands in a test file. */
export type Place = Pick<Problem, 'path' | 'line' | 'column'>

/** What a test says of one action, and where it says so. */
export type Verdict = 'allow' | 'deny'

/** What has to come of a Question. What a test does not mention is not judged, failing policies excepted. */
export type Expectation = {
  /** For every action asked, or by action. */
  readonly decision: Verdict | ReadonlyMap<string, Verdict>
  /** Ids of exactly the policies that have to decide. */
  readonly reason: readonly string[] | null
  /** Seconds; `none` where no `@ttl` may apply. */
  readonly ttl: number | 'none' | null
  /** How many policies have to fail. */
  readonly errors: number
}

/** One test. */
export type PolicyTest = {
  readonly name: string
  readonly place: Place
  readonly question: Question
  readonly expected: Expectation
}

/** What came of one test. `failures` is empty when it passed; `lines` explain the decision. */
export type TestResult = {
  readonly test: PolicyTest
  readonly decision: Decision
  readonly failures: readonly string[]
  readonly lines: readonly string[]
}

/** Runs tests in order. */
export function runTests(tests: readonly PolicyTest[], generation: Generation): TestResult[] {
  return tests.map((test) => {
    const decision = decide(test.question, generation)
    const failures = judge(test.expected, decision)
    const told = failures.length > 0 ? explain(test.question, decision, generation).lines : []
    return { test, decision, failures, lines: told }
  })
}

/** A red test as an error at its place, for whoever loads or checks policies. */
export function redTests(results: readonly TestResult[]): Problem[] {
  return results
    .filter(({ failures }) => failures.length > 0)
    .map(({ test, failures, lines }) => {
      const why = reasonOf(failures[0] ?? '', lines)
      const because = why === null ? '' : ` (${why})`
      const message = `test ${JSON.stringify(test.name)} is red: ${failures.join('; ')}${because}`
      return { ...test.place, severity: 'error', message }
    })
}

const POLICY_LINE = /^ {2}((?:nearest: )?(?:permit|forbid) \S+)/
const CONDITION_LINE = /^ {4}- (.*)/

/** The policy that a failure is about, with its conditions. Both begin with the action. */
function reasonOf(failure: string, lines: readonly string[]): string | null {
  const from = lines.findIndex((line) => {
    const [action = ''] = / (?:PERMITTED|DENIED)/.test(line) ? line.split(': ') : []
    return action !== '' && failure.startsWith(`${action}: `)
  })
  const start = lines.findIndex((line, index) => index > from && POLICY_LINE.test(line))
  const policy = POLICY_LINE.exec(lines[start] ?? '')?.[1]
  if (policy === undefined) return null
  const rest = lines.slice(start + 1)
  const end = rest.findIndex((line) => !CONDITION_LINE.test(line))
  const conditions = rest.slice(0, end === -1 ? undefined : end)
  const told = conditions.map((line) => CONDITION_LINE.exec(line)?.[1] ?? '')
  return told.length === 0 ? policy : `${policy}: ${told.join(', ')}`
}

function judge(expected: Expectation, decision: Decision): string[] {
  return [
    ...judgeVerdicts(expected.decision, decision),
    ...judgeReason(expected.reason, decision),
    ...judgeTtl(expected.ttl, decision),
    ...judgeErrors(expected.errors, decision),
  ]
}

function judgeVerdicts(expected: Expectation['decision'], { rulings }: Decision): string[] {
  return rulings.flatMap(({ action, result }) => {
    const wanted = typeof expected === 'string' ? expected : expected.get(action)
    const found: Verdict = result === 'permitted' ? 'allow' : 'deny'
    if (wanted === undefined || wanted === found) return []
    const why = result === 'permitted' ? '' : ` (${result})`
    return [`${action}: expected ${wanted}, got ${found}${why}`]
  })
}

function judgeReason(expected: readonly string[] | null, { rulings }: Decision): string[] {
  if (expected === null) return []
  const wanted = listed(expected)
  const found = listed(rulings.flatMap(({ policies }) => policies))
  return wanted === found ? [] : [`expected ${wanted} to decide, but ${found} did`]
}

function judgeTtl(expected: Expectation['ttl'], { ttl }: Decision): string[] {
  if (expected === null || expected === (ttl ?? 'none')) return []
  const shown = (value: number | 'none') => (value === 'none' ? 'no ttl' : `a ttl of ${value}s`)
  return [`expected ${shown(expected)}, got ${shown(ttl ?? 'none')}`]
}

function judgeErrors(expected: number, { rulings }: Decision): string[] {
  const failing = new Set(rulings.flatMap((ruling) => ruling.failing))
  const failed = rulings.filter(({ result }) => result === 'failed')
  if (failed.length > 0 && failing.size === 0) return ['the request cannot be evaluated']
  if (failing.size === expected) return []
  const names = failing.size === 0 ? '' : `: ${listed([...failing])}`
  return [`expected ${expected} failing policies, got ${failing.size}${names}`]
}

function listed(ids: readonly string[]): string {
  return [...new Set(ids)].sort().join(', ') || 'no policy'
}
