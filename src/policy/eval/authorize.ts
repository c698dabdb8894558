/** Cedar's authorization: whether a policy applies to a request, or could not be evaluated. */

import type { Condition, Part } from './compile.ts'
import type { Request } from './entities.ts'
import { EvaluationError } from './failure.ts'

/** What becomes of a policy, or of a part of one, on a request. Cedar skips one that failed; `decide` denies. */
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

/** Evaluates conditions in their order, up to the first that does not hold. */
export function outcomeOfAll(parts: readonly Part[], request: Request): Outcome {
  for (const { holds } of parts) {
    const outcome = outcomeOf(holds, request)
    if (outcome !== 'applies') return outcome
  }
  return 'applies'
}
