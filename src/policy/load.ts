/** From text to a Generation, or to every problem at once. Nothing that was not validated is ever loaded. */

import { type Accepted, compile, type Generation } from './generation.ts'
import { lint, repeatedIds } from './lint.ts'
import { prove } from './prove.ts'
import { nesting } from './scan.ts'
import type { PolicySettings, Problem, SourceFile } from './settings.ts'
import { fromBytes, type Piece, problemAt, split } from './split.ts'
import type { Remark, Verdict } from './worker.ts'

/** The outcome of a load. Warnings do not prevent one; `problems` holds errors and warnings. */
export type Loaded =
  | { readonly generation: Generation; readonly warnings: readonly Problem[] }
  | { readonly problems: readonly Problem[] }

/** What a load may cost. */
export type LoadOptions = {
  /** How long one policy may take to be checked, milliseconds. */
  readonly patience?: number
}

const PATIENCE = 15_000

/** Limits on one policy. Cedar recurses without a guard of its own (policy.md §6.3). */
const MAX_LENGTH = 10_000
const MAX_BRACKETS = 32

/**
 * Loads a set of policies. An empty set is legal: it permits nothing.
 *
 * @throws Error where the settings make no schema, or the worker thread cannot be started
 */
export async function load(
  files: readonly SourceFile[],
  settings: PolicySettings,
  options: LoadOptions = {},
): Promise<Loaded> {
  const pieces = files.flatMap(split)
  const guarded = pieces.map((piece) => ({ piece, problem: oversized(piece) }))
  const sound = guarded.flatMap(({ piece, problem }) => (problem ? [] : [piece]))
  const verdicts = await prove(
    sound.map(({ text }) => text),
    settings,
    options.patience ?? PATIENCE,
  )
  const accepted: Accepted[] = []
  const problems = guarded.flatMap(({ problem }) => problem ?? [])
  for (const [index, piece] of sound.entries()) {
    const verdict = verdicts[index]
    if (!verdict) throw new Error('A policy was not checked.')
    problems.push(...remarks(piece, verdict), ...lint(piece, verdict.json, settings))
    if (verdict.json) accepted.push({ piece, json: verdict.json })
  }
  problems.push(...repeatedIds(pieces))
  const sorted = tidy(problems)
  if (sorted.some(({ severity }) => severity === 'error')) return { problems: sorted }
  return { generation: compile(accepted, settings), warnings: sorted }
}

function oversized(piece: Piece): Problem | null {
  if (piece.text.length > MAX_LENGTH) {
    const message = `the policy has ${piece.text.length} characters, more than ${MAX_LENGTH}: split it`
    return problemAt(piece, 0, 'error', message)
  }
  let depth = 0
  for (const token of piece.tokens) {
    depth += nesting(token)
    if (depth <= MAX_BRACKETS) continue
    return problemAt(piece, token.start, 'error', `brackets nest more than ${MAX_BRACKETS} deep`)
  }
  return null
}

function remarks(piece: Piece, { errors, warnings }: Verdict): Problem[] {
  const problem = (severity: Problem['severity']) => (remark: Remark) =>
    problemAt(piece, fromBytes(piece.text, remark.start ?? 0), severity, remark.message)
  // Beside an error Cedar warns that the policy can never apply: true, and beside the point.
  return errors.length > 0 ? errors.map(problem('error')) : warnings.map(problem('warning'))
}

/** In reading order, one problem a place and severity: Cedar repeats an error for each action. */
function tidy(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>()
  const once = problems.filter(({ path, line, column, severity, message }) => {
    const kind = message.replace(/Action::"[^"]*"/g, '')
    const key = JSON.stringify([path, line, column, severity, kind])
    return !seen.has(key) && seen.add(key)
  })
  return once.sort(
    (a, b) =>
      (a.path < b.path ? -1 : a.path > b.path ? 1 : 0) || a.line - b.line || a.column - b.column,
  )
}
