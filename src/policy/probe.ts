/** Asks Cedar about single conditions: each becomes a permit of its own, and one call says which hold. */

import type { EntityRef } from '../identity.ts'
import { type Conjunct, conjuncts } from './conjuncts.ts'
import type { Request, Value } from './engine.ts'
import type { Generation, Policy } from './generation.ts'
import { type Constraint, matches, names } from './head.ts'
import type { Question } from './question.ts'
import { placeOf } from './request.ts'
import { entityText } from './scan.ts'
import { type Piece, split } from './split.ts'

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
  const { above } = placeOf(question.actor, generation)
  const ranked = [...generation.policies.values()]
    .filter(({ effect }) => effect === 'permit')
    .map((policy) => ({ policy, head: unmetHead(policy, question, action, above) }))
    .sort((a, b) => a.head.length - b.head.length)
    .slice(0, LOOKED_INTO)
  // A permit for someone else, something else and somewhere else explains nothing.
  const related = ranked.filter(({ head }) => head.length < 3)
  return related
    .map(({ policy, head }) => {
      const verdicts = probe(policy, action, generation, request)
      const unmet = [...head, ...unmetConditions(policy, verdicts, request)]
      return { policy, unmet, distance: head.length * 100 + unmet.length }
    })
    .sort((a, b) => a.distance - b.distance)
    .map(({ policy, unmet }) => ({ policy, unmet }))
}

/** The conditions of a policy that applied, or failed, each with the values it read. */
export function conditionsOf(
  policy: Policy,
  action: string,
  generation: Generation,
  request: Request | null,
): Condition[] {
  if (!request) return []
  return probe(policy, action, generation, request).map(({ conjunct, verdict }) =>
    condition(policy, conjunct, request, verdict === 'failed' ? 'cannot be evaluated: ' : ''),
  )
}

type Verdict = 'holds' | 'unmet' | 'failed'
type Probed = { readonly conjunct: Conjunct; readonly verdict: Verdict }

function probe(policy: Policy, action: string, { engine }: Generation, request: Request): Probed[] {
  const found = conjuncts(pieceOf(policy))
  const policies = Object.fromEntries(
    found.map(({ source, negated }, index) => [
      String(index),
      `permit (principal, action, resource) ${negated ? 'unless' : 'when'} { ${source} };`,
    ]),
  )
  const answer = engine.authorize({ key: JSON.stringify(policies), policies }, action, request)
  return found.map((conjunct, index) => {
    const id = String(index)
    if (answer.kind === 'failed' || answer.errors.includes(id)) {
      return { conjunct, verdict: 'failed' }
    }
    return { conjunct, verdict: answer.reasons.includes(id) ? 'holds' : 'unmet' }
  })
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
  above: readonly EntityRef[],
): Condition[] {
  const { principal } = question.actor
  const audience = { type: 'Audience', id: question.audience }
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
  if (!matches(head.resource, audience, [])) {
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
  if (path.length === 0) return root === 'principal' ? entityText(request.principal) : 'a record'
  let value: Value | undefined = root === 'context' ? request.context : request.entities[0]?.attrs
  for (const step of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'absent'
    value = Object.entries(value).find(([name]) => name === step)?.[1]
  }
  return shown(value)
}

function shown(value: Value | undefined): string {
  if (value === undefined) return 'absent'
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (
    '__extn' in value &&
    typeof value.__extn === 'object' &&
    value.__extn &&
    'arg' in value.__extn
  ) {
    return String(value.__extn.arg)
  }
  return JSON.stringify(value)
}
