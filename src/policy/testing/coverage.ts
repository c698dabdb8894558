/**
 * What tests show of policies: which ever apply, and which of their conditions were seen to hold and seen
 * not to. A condition that no test turns off could be deleted without anybody noticing.
 *
 * Conditions are asked in the order in which they are evaluated: the second only where the first held. Each
 * beginning of a policy becomes a forbid of its own, and `decide` names those that apply.
 */

import { type Conjunct, conjuncts } from '../conjuncts.ts'
import { decide } from '../decide.ts'
import type { Generation, Policy } from '../generation.ts'
import { load } from '../load.ts'
import { nesting } from '../scan.ts'
import type { Problem } from '../settings.ts'
import { type Piece, split } from '../split.ts'
import type { TestResult } from '../testing.ts'

/** One condition, and how tests saw it. */
export type ConditionCoverage = {
  readonly text: string
  readonly line: number
  readonly column: number
  readonly seenTrue: boolean
  readonly seenFalse: boolean
}

/** One policy, and how tests saw it. */
export type PolicyCoverage = {
  readonly policy: string
  readonly effect: Policy['effect']
  readonly path: string
  readonly line: number
  readonly column: number
  /** In how many tests all of it held: head and conditions. */
  readonly applied: number
  readonly conditions: readonly ConditionCoverage[]
}

/** A warning at each policy that applies in no test: nobody would notice if it stopped. */
export function untested(covered: readonly PolicyCoverage[]): Problem[] {
  return covered
    .filter(({ applied }) => applied === 0)
    .map(({ policy, path, line, column }) => {
      const message = `no test: ${JSON.stringify(policy)} applies in none; add one beside it (*.test.yaml)`
      return { path, line, column, severity: 'warning', message }
    })
}

/**
 * Measures what tests cover, in the order of the files.
 *
 * @throws Error where the policies cannot be taken apart
 */
export async function coverage(
  results: readonly TestResult[],
  generation: Generation,
): Promise<PolicyCoverage[]> {
  const dissected = [...generation.policies.values()].map(dissect)
  const seen = await observe(dissected, results, generation)
  return dissected.map(({ policy, piece, parts }, index) => ({
    policy: policy.id,
    effect: policy.effect,
    path: policy.path,
    line: policy.line,
    column: policy.column,
    applied: seen.applied.get(probeId(index, parts.length)) ?? 0,
    conditions: parts.map(({ source, negated, start }, part) => ({
      text: `${negated ? 'unless ' : ''}${source}`,
      ...placed(policy, piece, start),
      seenTrue: seen.held.has(probeId(index, part + 1)),
      seenFalse: seen.fell.has(probeId(index, part + 1)),
    })),
  }))
}

type Dissected = {
  readonly policy: Policy
  readonly piece: Piece
  readonly parts: readonly Conjunct[]
}

function dissect(policy: Policy): Dissected {
  const [piece] = split({ path: policy.path, text: policy.text })
  if (piece === undefined) throw new Error('A policy without text was accepted.')
  return { policy, piece, parts: conjuncts(piece, policy.conditions) }
}

function placed(policy: Policy, piece: Piece, start: number): { line: number; column: number } {
  const { line, column } = piece.place(start)
  return {
    line: policy.line + line - 1,
    column: line === 1 ? policy.column + column - 1 : column,
  }
}

function probeId(policy: number, part: number): string {
  return `${policy}/${part}`
}

type Seen = {
  /** In how many tests each probe applied. */
  readonly applied: ReadonlyMap<string, number>
  readonly held: ReadonlySet<string>
  readonly fell: ReadonlySet<string>
}

async function observe(
  dissected: readonly Dissected[],
  results: readonly TestResult[],
  generation: Generation,
): Promise<Seen> {
  const text = [OPEN, ...dissected.flatMap(probes)].join('\n')
  const loaded = await load([{ path: 'coverage', text }], generation.settings)
  if (!('generation' in loaded)) {
    throw new Error(`coverage cannot be measured: ${loaded.problems[0]?.message}`)
  }
  const applied = new Map<string, number>()
  const held = new Set<string>()
  const fell = new Set<string>()
  for (const { test } of results) {
    const { rulings } = decide(test.question, loaded.generation)
    for (const id of new Set(rulings.flatMap(({ policies }) => policies))) {
      applied.set(id, (applied.get(id) ?? 0) + 1)
    }
    for (const { policies } of rulings) mark(new Set(policies), dissected, held, fell)
  }
  return { applied, held, fell }
}

function mark(
  applying: ReadonlySet<string>,
  dissected: readonly Dissected[],
  held: Set<string>,
  fell: Set<string>,
): void {
  for (const [index, { parts }] of dissected.entries()) {
    for (let part = 1; part <= parts.length; part++) {
      if (!applying.has(probeId(index, part - 1))) break
      const id = probeId(index, part)
      if (applying.has(id)) held.add(id)
      else fell.add(id)
    }
  }
}

/** Forbids are only asked where something is permitted. The condition always holds. */
const OPEN = `@id("open") permit (principal, action, resource)
when { context.operation == "issue" || context.operation != "issue" };`

/** A forbid for the head of a policy alone, then one for the head with one condition more each. */
function probes({ policy, piece, parts }: Dissected, index: number): string[] {
  const head = headText(policy, piece)
  const clauses = parts.map(({ negated, source }) => `${negated ? 'unless' : 'when'} { ${source} }`)
  return Array.from({ length: parts.length + 1 }, (_, count) =>
    [`@id("${probeId(index, count)}") forbid ${head}`, ...clauses.slice(0, count)]
      .join('\n')
      .concat(';'),
  )
}

/** `(principal, action, resource)` as written: the brackets after the effect. */
function headText({ text }: Policy, { tokens }: Piece): string {
  const effect = tokens.findIndex(
    ({ text: word }, at) =>
      (word === 'permit' || word === 'forbid') && tokens[at - 1]?.text !== '@',
  )
  let depth = 0
  for (const token of tokens.slice(effect + 1)) {
    depth += nesting(token)
    if (depth === 0) return text.slice(tokens[effect + 1]?.start, token.end)
  }
  throw new Error('A policy without a head was accepted.')
}
