/** Asks about single conditions of a policy: which hold on a request, which do not, and what they read. */

import { type Conjunct, conjuncts } from './conjuncts.ts'
import { compileExpression } from './eval/compile.ts'
import type { Request } from './eval/entities.ts'
import { EvaluationError } from './eval/failure.ts'
import { written } from './eval/text.ts'
import type { Value } from './eval/value.ts'
import type { Generation, Policy } from './generation.ts'
import { type Constraint, matches, names } from './head.ts'
import type { Question } from './question.ts'
import { entityText } from './scan.ts'
import { type Piece, split } from './split.ts'
import { standingOf } from './standing.ts'

/** A condition as its author wrote it, and what was found instead. */
export type Condition = {
  readonly text: string
  /** The values it read, `6h59m`; null where it read none. */
  readonly actual: string | null
  readonly line: number
  readonly column: number
}

/** A permit that did not match, and why. */
export type Candidate = { readonly policy: Policy; readonly unmet: readonly Condition[] }

/** How many permits are looked into. */
const LOOKED_INTO = 10

/**
 * The permits that came nearest to permitting an action: those whose heads match first, then those with
 * the fewest conditions unmet.
 */
export function nearest(
  question: Question,
  action: string,
  generation: Generation,
  request: Request,
): Candidate[] {
  const ranked = [...generation.policies.values()]
    .filter(({ effect }) => effect === 'permit')
    .map((policy) => ({ policy, head: unmetHead(policy, question, action, generation) }))
    .sort((a, b) => a.head.length - b.head.length)
    .slice(0, LOOKED_INTO)
  // A permit for someone else, something else and somewhere else explains nothing.
  const related = ranked.filter(({ head }) => head.length < 3)
  return related
    .map(({ policy, head }) => {
      const verdicts = probe(policy, request)
      const unmet = [...head, ...unmetConditions(policy, verdicts, request)]
      return { policy, unmet, distance: head.length * 100 + unmet.length }
    })
    .sort((a, b) => a.distance - b.distance)
    .map(({ policy, unmet }) => ({ policy, unmet }))
}

/** The conditions of a policy that applied, or failed, each with the values it read. */
export function conditionsOf(policy: Policy, request: Request | null): Condition[] {
  if (!request) return []
  return probe(policy, request).map(({ conjunct, verdict }) =>
    condition(policy, conjunct, request, verdict === 'failed' ? 'cannot be evaluated: ' : ''),
  )
}

type Verdict = 'holds' | 'unmet' | 'failed'
type Probed = { readonly conjunct: Conjunct; readonly verdict: Verdict }

function probe(policy: Policy, request: Request): Probed[] {
  return conjuncts(pieceOf(policy), policy.conditions).map((conjunct) => ({
    conjunct,
    verdict: verdictOn(conjunct, request),
  }))
}

function verdictOn({ expression, negated }: Conjunct, request: Request): Verdict {
  try {
    const value = compileExpression(expression)(request)
    if (typeof value !== 'boolean') return 'failed'
    return value === negated ? 'unmet' : 'holds'
  } catch (error) {
    if (error instanceof EvaluationError) return 'failed'
    throw error
  }
}

/** What failed outright only because an earlier condition guards it (`has`) is not worth a line. */
function unmetConditions(policy: Policy, probed: readonly Probed[], request: Request): Condition[] {
  const unmet = probed.filter(({ verdict }) => verdict === 'unmet')
  const shown = unmet.length > 0 ? unmet : probed.filter(({ verdict }) => verdict === 'failed')
  return shown.map(({ conjunct }) => condition(policy, conjunct, request))
}

function condition(
  policy: Policy,
  { source, negated, start, paths }: Conjunct,
  request: Request,
  prefix = '',
): Condition {
  const values = paths.map((path) => ({ name: path.at(-1), value: valueAt(path, request) }))
  const [only, second] = values
  const list = values.map(({ name, value }) => `${name} ${value}`).join(', ')
  return {
    text: `${prefix}${negated ? 'unless ' : ''}${source}`,
    actual: only === undefined ? null : second === undefined ? only.value : list,
    ...pieceOf(policy).place(start),
  }
}

/** The policy's text at its place in its file. */
function pieceOf({ path, text, line, column }: Policy): Piece {
  const piece = split({ path, text })[0]
  if (!piece) throw new Error('A policy without text was accepted.')
  return {
    ...piece,
    place: (offset) => {
      const at = piece.place(offset)
      return {
        line: line + at.line - 1,
        column: at.line === 1 ? column + at.column - 1 : at.column,
      }
    },
  }
}

function unmetHead(
  { head, line, column }: Policy,
  question: Question,
  action: string,
  generation: Generation,
): Condition[] {
  const { above } = standingOf(question.actor, question.audience, generation)
  const { principal } = question.actor
  const audience = { type: 'Audience', id: question.audience }
  const groups = generation.audienceGroups.get(question.audience) ?? []
  const unmet: Condition[] = []
  const add = (text: string, actual: string) => unmet.push({ text, actual, line, column })
  if (!matches(head.principal, principal, above)) {
    add(`principal ${constraintText(head.principal)}`, entityText(principal))
  }
  if (!names(head, action)) {
    const actions = (head.actions ?? []).map((id) => entityText({ type: 'Action', id }))
    add(
      actions.length === 1 ? `action == ${actions[0]}` : `action in [${actions.join(', ')}]`,
      entityText({ type: 'Action', id: action }),
    )
  }
  if (!matches(head.resource, audience, groups)) {
    add(`resource ${constraintText(head.resource)}`, entityText(audience))
  }
  return unmet
}

function constraintText(to: Constraint): string {
  if (to.op === 'any') return 'any'
  if (to.op === 'is') return `is ${to.type}`
  if (to.op === '==') return `== ${entityText(to.entity)}`
  return `${to.type === null ? '' : `is ${to.type} `}in ${entityText(to.entity)}`
}

function valueAt([root, ...path]: readonly string[], request: Request): string {
  if (path.length === 0) return root === 'principal' ? written(request.principal) : 'a record'
  let value: Value | undefined =
    root === 'context' ? request.context : request.entities.get(request.principal.key)?.attributes
  for (const step of path) value = value instanceof Map ? value.get(step) : undefined
  return value === undefined ? 'absent' : written(value)
}
