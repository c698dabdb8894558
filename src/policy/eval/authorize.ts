/** Cedar's authorization: which policies apply to a request, and which could not be evaluated. */

import type { Condition, Program } from './compile.ts'
import type { Request } from './entities.ts'
import { EvaluationError } from './failure.ts'

/** What becomes of one policy on one request. Cedar skips one that failed; `decide` denies. */
export type Outcome = 'applies' | 'idle' | 'failed'

/** Evaluates one condition. Never throws for anything in policy or request. */
export function outcomeOf(condition: Condition, request: Request): Outcome {
  try {
    return condition(request) ? 'applies' : 'idle'
  } catch (error) {
    if (error instanceof EvaluationError) return 'failed'
    throw error
  }
}

/** Evaluates a policy: its parts in their order, up to the first that does not hold. */
export function evaluate({ head, conditions }: Program, request: Request): Outcome {
  for (const { holds } of [...head, ...conditions]) {
    const outcome = outcomeOf(holds, request)
    if (outcome !== 'applies') return outcome
  }
  return 'applies'
}
