/** A decision for the operator: what was recorded, why it was so, and what to do about it. */

import { ADVICE } from './advice.ts'
import type { Audit, AuditEvent } from './audit.ts'
import type { Policies } from './policies.ts'
import { decide } from './policy/decide.ts'
import { type Explanation, explain } from './policy/explain.ts'

/** A decision as the operator reads it. */
export type ExplainedDecision = {
  readonly event: AuditEvent
  /** What to do about the refusal; null when a token was issued. */
  readonly advice: string | null
  /** Null when the request was refused before there was anything to decide. */
  readonly explanation: Explanation | null
  /** Whether the policies in force now are those that decided. If not, the explanation is theirs. */
  readonly sameGeneration: boolean
}

/** @returns null when the decision is not kept @throws Refusal `store_unavailable` */
export async function explained(
  audit: Audit,
  policies: Policies,
  id: string,
): Promise<ExplainedDecision | null> {
  const event = await audit.find(id)
  if (event === null) return null
  const { question, decision, reason } = event
  const advice = reason === null || reason === 'internal_error' ? null : ADVICE[reason]
  const generation = policies.current()
  const sameGeneration = decision === null || decision.generation === generation.id
  const judged = sameGeneration || question === null ? decision : decide(question, generation)
  const explanation =
    question === null || judged === null ? null : explain(question, judged, generation)
  return { event, advice, explanation, sameGeneration }
}
