/**
 * The judgement: one Question under one Generation. Default deny, forbid wins, and an evaluation error
 * denies: Cedar alone would skip an erring forbid and permit. Synchronous; no I/O and no clock.
 */

import { satisfies } from './annotations.ts'
import type { PolicySet, Request } from './engine.ts'
import { type Generation, keysOf, type Policy } from './generation.ts'
import { matches, names } from './head.ts'
import { union } from './needs.ts'
import type { Decision, Question, Ruling } from './question.ts'
import { Misfit, placeOf, requestOf } from './request.ts'
import { ISSUE } from './schema.ts'

/**
 * Decides. Each scope is asked by itself; without scopes `issue` is asked. Never throws for anything in a
 * Question: what does not fit the schema is ruled `failed`.
 */
export function decide(question: Question, generation: Generation): Decision {
  const asked = question.scopes.length > 0 ? question.scopes : [ISSUE]
  const rulings = settle(question, generation, asked)
  const permitted = rulings.filter(({ result }) => result === 'permitted')
  const ttls = permitted
    .flatMap(({ policies }) => policies)
    .flatMap((id) => generation.policies.get(id)?.ttl ?? [])
  return {
    generation: generation.id,
    rulings,
    granted: question.scopes.length > 0 ? permitted.map(({ action }) => action) : [],
    permitted: permitted.length > 0,
    ttl: ttls.length > 0 ? Math.min(...ttls) : null,
  }
}

function settle(question: Question, generation: Generation, asked: readonly string[]): Ruling[] {
  try {
    const context = prepare(question, generation)
    return asked.map((action) => rule(action, question, generation, context))
  } catch (error) {
    if (!(error instanceof Misfit)) throw error
    return asked.map((action) => ruling(action, 'failed'))
  }
}

/** What all scopes of a Question share. */
type Prepared = {
  readonly slice: readonly Policy[]
  readonly set: PolicySet
  readonly request: Request
}

function prepare(question: Question, generation: Generation): Prepared {
  const place = placeOf(question.actor, generation)
  const slice = candidates(question, generation, place.above)
  return {
    slice,
    set: {
      key: JSON.stringify(slice.map(({ id }) => id)),
      policies: Object.fromEntries(slice.map(({ id, text }) => [id, text])),
    },
    request: requestOf(question, generation, place, union(slice.map(({ needs }) => needs))),
  }
}

/** The policies whose heads can match. The rest can neither permit nor forbid nor fail. */
function candidates(
  question: Question,
  generation: Generation,
  above: Parameters<typeof matches>[2],
): Policy[] {
  const { principal } = question.actor
  const audience = { type: 'Audience', id: question.audience }
  return keysOf(principal, above)
    .flatMap((key) => generation.index.get(key) ?? [])
    .filter(
      ({ head }) =>
        matches(head.principal, principal, above) && matches(head.resource, audience, []),
    )
}

function rule(
  action: string,
  question: Question,
  { offers, engine, policies }: Generation,
  { slice, set, request }: Prepared,
): Ruling {
  const offered = offers.get(question.audience)
  const issuing = action === ISSUE && question.scopes.length === 0
  if (!offered || !(issuing || offered.has(action))) return ruling(action, 'not_offered')
  const permits = slice.some(({ effect, head }) => effect === 'permit' && names(head, action))
  if (!permits) return ruling(action, 'unmatched')

  const answer = engine.authorize(set, action, request)
  if (answer.kind === 'failed') return ruling(action, 'failed')
  // INVARIANT: Cedar skips a policy that errs. If that policy is a forbid, its answer is `allow`.
  if (answer.errors.length > 0) return ruling(action, 'failed', [], answer.errors)
  if (!answer.allowed) {
    return ruling(action, answer.reasons.length > 0 ? 'forbidden' : 'unmatched', answer.reasons)
  }
  const demanding = answer.reasons.filter((id) => {
    const demanded = policies.get(id)?.sender
    return demanded && !satisfies(question.sender, demanded)
  })
  if (demanding.length > 0) return ruling(action, 'sender_unmet', demanding)
  return ruling(action, 'permitted', answer.reasons)
}

function ruling(
  action: string,
  result: Ruling['result'],
  policies: readonly string[] = [],
  failing: readonly string[] = [],
): Ruling {
  return { action, result, policies, failing }
}
