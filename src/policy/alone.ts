/** What a policy should not be, judged by itself: above all, what a permit should not leave open. */

import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { Grade } from '../identity.ts'
import { type Clauses, clausesOf } from './clauses.ts'
import { type Head, headOf } from './head.ts'
import { mentions } from './mentions.ts'
import { PRINCIPALS } from './principals.ts'
import { OPERATIONS } from './schema.ts'
import type { Problem } from './settings.ts'
import { type Piece, problemAt } from './split.ts'

/** Checks one policy. */
export function lintAlone(piece: Piece, json: PolicyJson): Problem[] {
  const [head, clauses] = [headOf(json), clausesOf(json)]
  const contradicting = contradiction(piece, clauses)
  if (json.effect !== 'permit') return contradicting
  return [
    ...contradicting,
    ...chained(piece, clauses),
    ...open(piece, head),
    ...mixedOperations(piece, head, clauses),
    ...selfReported(piece, head, clauses),
  ]
}

/** `x && !x`, which Cedar accepts. */
function contradiction(piece: Piece, { terms }: Clauses): Problem[] {
  if (![...terms].some((term) => terms.has(`!${term}`))) return []
  const message = 'this policy can never apply: it asks for a condition and for its opposite'
  const when = piece.tokens.find(({ text }) => text === 'when' || text === 'unless')
  return [problemAt(piece, when?.start ?? 0, 'warning', message)]
}

function open(piece: Piece, { principal, resource }: Head): Problem[] {
  if (principal.op !== 'any') return []
  const message =
    resource.op === 'any'
      ? 'this permit names neither a principal nor an audience: it opens every resource to every workload'
      : 'this permit names no principal: it speaks for every workload of every platform'
  return [problemAt(piece, principalStart(piece), 'warning', message)]
}

/** Who acted before is for information and for refusing, never for granting (RFC 8693 §4.1). */
function chained(piece: Piece, { reads }: Clauses): Problem[] {
  if (![...reads].some((path) => path.startsWith('context.chain'))) return []
  const at = piece.tokens.find(({ text }) => text === 'chain')
  const message =
    'a permit must not rest on context.chain, who acted before: only a forbid may read it'
  return [problemAt(piece, at?.start ?? 0, 'error', message)]
}

/** The scope would be open to the agent by itself, without the user or token that it acts for. */
function mixedOperations(piece: Piece, { actions }: Head, { reads }: Clauses): Problem[] {
  const second = (actions ?? []).find((action) => action === 'exchange' || action === 'delegate')
  const scope = (actions ?? []).find((action) => !OPERATIONS.includes(action))
  if (second === undefined || scope === undefined || reads.has('context.operation')) return []
  const at = mentions(piece).find(({ type, id }) => type === 'Action' && id === second)?.at
  const message =
    `this permit names ${second} beside ${scope}, which opens ${scope} to the workload alone too: ` +
    'add a test of context.operation, or write two policies'
  return [problemAt(piece, at?.start ?? 0, 'error', message)]
}

const SELF_SET: readonly Grade[] = ['C', 'D']

/**
 * A permit that picks workloads out of many by what they, their tenant or their node say of themselves.
 * `== ServiceAccount::"…"` picks one by what was proved.
 */
function selfReported(piece: Piece, { principal }: Head, clauses: Clauses): Problem[] {
  if (principal.op === '==' || clauses.identifies) return []
  const facts = [...clauses.reads].filter((path) => path.startsWith('principal.'))
  const grades = facts.map((path) => ({ path, grade: gradeOf(path.slice('principal.'.length)) }))
  const graded = grades.filter(({ grade }) => grade !== null)
  if (graded.length === 0) return []
  if (graded.some(({ grade }) => grade !== null && !SELF_SET.includes(grade))) return []
  const list = graded.map(({ path, grade }) => `${path} (grade ${grade})`).join(', ')
  const message = `this permit rests only on what a tenant or a node says of itself: ${list}`
  return [problemAt(piece, principalStart(piece), 'warning', message)]
}

/** The best grade of the attributes of that name; null for a record, whose parts are what counts. */
function gradeOf(path: string): Grade | null {
  const grades = Object.values(PRINCIPALS).flatMap(({ attributes }) =>
    Object.hasOwn(attributes, path) ? (attributes[path]?.grade ?? []) : [],
  )
  return grades.sort()[0] ?? null
}

function principalStart(piece: Piece): number {
  return piece.tokens.find(({ text }) => text === 'principal')?.start ?? 0
}
