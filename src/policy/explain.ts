/**
 * Why a Question was decided as it was, for the operator at three in the morning. Never for the caller, and
 * never on the way of a request: it may look into dozens of conditions.
 */

import type { Request } from './eval/entities.ts'
import { Uid } from './eval/value.ts'
import type { Generation, Policy } from './generation.ts'
import { type Candidate, type Condition, conditionsOf, nearest } from './probe.ts'
import type { Decision, Question, Ruling } from './question.ts'
import { type Asked, requestOf } from './request.ts'
import { entityText } from './scan.ts'
import { Misfit, standingOf } from './standing.ts'

/** A policy as an operator looks for it. */
export type Reference = Pick<
  Policy,
  'id' | 'effect' | 'owner' | 'description' | 'path' | 'line' | 'column'
>

/** One ruling with what led to it. */
export type RulingExplanation = {
  readonly action: string
  readonly result: Ruling['result']
  /** One sentence. */
  readonly summary: string
  /** The policies that decided or failed, each with its conditions as they were. */
  readonly decided: readonly {
    readonly policy: Reference
    readonly because: readonly Condition[]
  }[]
  /** For `unmatched`: the permits that came nearest, nearest first, and what they lacked. */
  readonly candidates: readonly {
    readonly policy: Reference
    readonly unmet: readonly Condition[]
  }[]
}

/** The whole explanation; `lines` is what a person reads. */
export type Explanation = {
  readonly generation: string
  readonly rulings: readonly RulingExplanation[]
  readonly lines: readonly string[]
}

/**
 * Explains a decision.
 *
 * @param decision what `decide` said about this question under this generation
 * @throws Error where the decision was made under another generation
 */
export function explain(
  question: Question,
  decision: Decision,
  generation: Generation,
): Explanation {
  if (decision.generation !== generation.id) {
    throw new Error(`Decided under generation ${decision.generation}, not ${generation.id}.`)
  }
  const seen = seeAll(question, generation)
  const rulings = decision.rulings.map((ruling) => one(ruling, question, generation, seen))
  return { generation: generation.id, rulings, lines: render(question, rulings) }
}

/** What policies were evaluated on, or why there is nothing. */
function seeAll(question: Question, generation: Generation): Asked | Misfit {
  try {
    const standing = standingOf(question.actor, question.audience, generation)
    return requestOf(question, generation, standing)
  } catch (error) {
    if (error instanceof Misfit) return error
    throw error
  }
}

function one(
  ruling: Ruling,
  question: Question,
  generation: Generation,
  seen: Asked | Misfit,
): RulingExplanation {
  const { action, result } = ruling
  const request: Request | null =
    seen instanceof Misfit ? null : { ...seen, action: new Uid('Action', action) }
  const decided = [...ruling.policies, ...ruling.failing].flatMap((id) => {
    const policy = generation.policies.get(id)
    if (!policy) return []
    return { policy: reference(policy), because: conditionsOf(policy, request) }
  })
  const near =
    result === 'unmatched' && request ? nearest(question, action, generation, request) : []
  const candidates = near.map(({ policy, unmet }: Candidate) => ({
    policy: reference(policy),
    unmet,
  }))
  const summary = summarise(ruling, question, generation, seen)
  return { action, result, summary, decided, candidates }
}

function summarise(
  { action, result }: Ruling,
  question: Question,
  generation: Generation,
  seen: Asked | Misfit,
): string {
  switch (result) {
    case 'permitted':
      return 'permitted'
    case 'forbidden':
      return 'a forbid applies, and forbid always wins'
    case 'unmatched':
      return 'no permit matches'
    case 'not_offered': {
      const offered = generation.offers.get(question.audience)
      if (!offered) return `the audience ${question.audience} is not configured`
      return `the audience ${question.audience} does not offer ${action} (it offers ${[...offered].join(', ') || 'no scopes'})`
    }
    case 'sender_unmet':
      return `a permit matches, but only for a token bound more strongly than "${question.sender}"`
    case 'failed':
      if (seen instanceof Misfit) return `the facts do not fit the schema: ${seen.message}`
      return 'a policy could not be evaluated, which denies'
  }
}

function reference(policy: Policy): Reference {
  const { id, effect, owner, description, path, line, column } = policy
  return { id, effect, owner, description, path, line, column }
}

/** How many near candidates a person is shown. */
const SHOWN = 3

function render(question: Question, rulings: readonly RulingExplanation[]): string[] {
  const who = entityText(question.actor.principal)
  const when = new Date(question.at * 1000).toISOString()
  return [
    `${who} asked for ${question.audience} at ${when}`,
    ...rulings.flatMap(({ action, result, summary, decided, candidates }) => [
      `${action}: ${result === 'permitted' ? 'PERMITTED' : `DENIED, ${summary}`}`,
      ...decided.flatMap(({ policy, because }) => [`  ${title(policy)}`, ...because.map(bullet)]),
      ...candidates
        .slice(0, SHOWN)
        .flatMap(({ policy, unmet }, index) => [
          `  ${index === 0 ? 'nearest: ' : 'then: '}${title(policy)}`,
          ...unmet.map(bullet),
        ]),
    ]),
  ]
}

function title({ id, effect, owner, description, path, line }: Reference): string {
  const by = owner === null ? '' : `, owner ${owner}`
  const about = description === null ? '' : `: ${description}`
  return `${effect} ${id} (${path}:${line}${by})${about}`
}

function bullet({ text, actual }: Condition): string {
  return `    - ${text}${actual === null ? '' : ` (is ${actual})`}`
}
