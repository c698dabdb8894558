/** One policy of a set with everything that was found out about it alone: what a reload keeps. */

import { type Annotation, annotationsOf, expiresOf, modeOf } from './annotations.ts'
import { clausesOf } from './clauses.ts'
import { type Policy, policyOf } from './generation.ts'
import { effectToken, type Lint } from './lint.ts'
import { type Outline, outlineKey } from './overlap.ts'
import { nesting } from './scan.ts'
import type { Problem } from './settings.ts'
import { fromBytes, type Piece, problemAt } from './split.ts'
import type { Remark, Verdict } from './worker.ts'

/** One policy as it was checked. */
export type Entry = {
  readonly piece: Piece
  /** What Cedar said; null where it was not asked. */
  readonly verdict: Verdict | null
  readonly annotations: readonly Annotation[]
  /** Null where it has errors. */
  readonly policy: Policy | null
  readonly outline: (Outline & { readonly piece: Piece }) | null
  readonly problems: readonly Problem[]
}

/** Limits on one policy. Cedar recurses without a guard of its own (policy.md §6.3). */
const MAX_LENGTH = 10_000
const MAX_BRACKETS = 32

/** The verdict, the lint and, where neither objects, the compiled policy. */
export function check(piece: Piece, verdict: Verdict | null, lint: Lint): Entry {
  const annotations = annotationsOf(piece.tokens)
  const tooLarge = oversized(piece)
  if (tooLarge || !verdict) {
    const problems = tooLarge ? [tooLarge] : []
    return { piece, verdict, annotations, policy: null, outline: null, problems }
  }
  const problems = [...remarks(piece, verdict), ...lint(piece, verdict.json)]
  const failed = problems.some(({ severity }) => severity === 'error')
  const policy = failed || !verdict.json ? null : policyOf({ piece, json: verdict.json })
  const outline = policy &&
    verdict.json && {
      piece,
      id: policy.id,
      key: outlineKey(policy.head.principal),
      at: `${policy.path}:${policy.line}`,
      head: policy.head,
      clauses: clausesOf(verdict.json),
      mode: modeOf(annotations),
      expires: expiresOf(annotations),
      ttl: policy.ttl,
      sender: policy.sender,
      format: policy.format,
    }
  return { piece, verdict, annotations, policy, outline, problems }
}

/** What keeps a policy from being given to Cedar at all. */
export function oversized(piece: Piece): Problem | null {
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
  const problem = (severity: Problem['severity']) => (remark: Remark) => {
    // What concerns a policy as a whole is at its effect, not at its first annotation.
    const whole = effectToken(piece)?.start ?? 0
    const start = remark.start ? fromBytes(piece.text, remark.start) : whole
    return problemAt(piece, start, severity, remark.message)
  }
  // Beside an error Cedar warns that the policy can never apply: true, and beside the point.
  return errors.length > 0 ? errors.map(problem('error')) : warnings.map(problem('warning'))
}
