/**
 * The judgement: one Question under one Generation. Default deny, forbid wins, and an evaluation error
 * denies: Cedar alone would skip an erring forbid and permit. Synchronous; no I/O and no clock.
 */

import { type Outcome, outcomeOf } from './eval/authorize.ts'
import type { Request } from './eval/entities.ts'
import type { Generation } from './generation.ts'
import {
  type Decision,
  discreet,
  type Format,
  type Question,
  type Ruling,
  satisfies,
} from './question.ts'
import { type Asked, requestOf } from './request.ts'
import { ISSUE, OPERATIONS } from './schema.ts'
import type { Seat } from './seats.ts'
import { Misfit, type Standing, standingOf } from './standing.ts'

/**
 * Decides. Each scope is asked by itself; without scopes `issue` is asked. An exchange and a delegation need their own
 * action besides: a permit on a scope never opens them. Never throws for anything in a Question: what does not fit
 * the schema is ruled `failed`.
 */
export function decide(question: Question, generation: Generation): Decision {
  const { operation, scopes } = question
  const needed = operation !== ISSUE || scopes.length === 0 ? [operation] : []
  const { rulings, ttl, format } = settle(question, generation, [...needed, ...scopes])
  const open = rulings.slice(0, needed.length).every(isPermitted)
  const permitted = rulings.slice(needed.length).filter(isPermitted)
  return {
    generation: generation.id,
    rulings,
    granted: open ? permitted.map(({ action }) => action) : [],
    permitted: open && (scopes.length === 0 || permitted.length > 0),
    ttl,
    format,
  }
}

function isPermitted({ result }: Ruling): boolean {
  return result === 'permitted'
}

type Settled = Pick<Decision, 'rulings' | 'ttl' | 'format'>

function settle(question: Question, generation: Generation, asked: readonly string[]): Settled {
  try {
    const standing = standingOf(question.actor, question.audience, generation)
    const request = requestOf(question, generation, standing)
    const hearing = { question, standing, request, outcomes: [], ttl: null, format: null }
    const rulings = asked.map((action) => rule(action, hearing))
    return { rulings, ttl: hearing.ttl, format: hearing.format }
  } catch (error) {
    if (!(error instanceof Misfit)) throw error
    return { rulings: asked.map((action) => ruling(action, 'failed')), ttl: null, format: null }
  }
}

/** What all scopes of a Question share. */
type Hearing = {
  readonly question: Question
  readonly standing: Standing
  readonly request: Asked
  /** By the number of a part: whether it holds, where that is the same for every action. */
  readonly outcomes: (Outcome | undefined)[]
  /** The strictest `@ttl` of the permits that have granted something so far. */
  ttl: number | null
  /** The strictest `@format` of those. */
  format: Format | null
}

function rule(action: string, hearing: Hearing): Ruling {
  const { question, standing, request } = hearing
  // A scope that bears the name of an operation is offered by nobody.
  const asked = !question.scopes.includes(action) || !OPERATIONS.includes(action)
  const offer = asked ? standing.offers.get(action) : undefined
  if (!offer) return ruling(action, 'not_offered')
  const { principal, resource, context, entities } = request
  const input: Request = { principal, action: offer.action, resource, context, entities }
  const said = hear(offer.enforced, input, hearing)
  const enforced = judge(action, said, question)
  if (isPermitted(enforced)) {
    for (const { ttl, format } of said.permits) {
      hearing.ttl = shorter(hearing.ttl, ttl)
      hearing.format = stricter(hearing.format, format)
    }
  }
  if (offer.reported.length === 0) return enforced

  const all = hear([...offer.enforced, ...offer.reported].sort(byId), input, hearing)
  const would = judge(action, all, question)
  if (sameRuling(would, enforced)) return enforced
  const policies = would.result === 'failed' ? would.failing : would.policies
  return { ...enforced, report: { result: would.result, policies } }
}

function sameRuling(a: Ruling, b: Ruling): boolean {
  const of = ({ result, policies, failing }: Ruling) => JSON.stringify([result, policies, failing])
  return of(a) === of(b)
}

function byId(a: Seat, b: Seat): number {
  return a.id < b.id ? -1 : 1
}

function shorter(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b)
}

function stricter(a: Format | null, b: Format | null): Format | null {
  return a === null || b === null ? (a ?? b) : discreet(a, b) ? a : b
}

/** What policies say about one action, in the order of their ids. */
type Said = {
  readonly permits: readonly Seat[]
  readonly forbids: readonly string[]
  /** Those that could not be evaluated. */
  readonly failing: readonly string[]
  /** Whether there is a permit at all, whatever its conditions. */
  readonly open: boolean
}

function hear(seats: readonly Seat[], input: Request, hearing: Hearing): Said {
  const { question } = hearing
  const permits: Seat[] = []
  const forbids: string[] = []
  const failing: string[] = []
  let open = false
  for (const seat of seats) {
    const { id, effect, expires } = seat
    if (expires !== null && expires <= question.at) continue
    open ||= effect === 'permit'
    const outcome = weigh(seat, input, hearing)
    if (outcome === 'failed') failing.push(id)
    else if (outcome === 'applies' && effect === 'permit') permits.push(seat)
    else if (outcome === 'applies') forbids.push(id)
  }
  return { permits, forbids, failing, open }
}

/** A policy whose head was matched when the standing was made; each of its conditions is asked once a request. */
function weigh({ conditions }: Seat, input: Request, { standing, outcomes }: Hearing): Outcome {
  for (const number of conditions) {
    let outcome = outcomes[number]
    if (outcome === undefined) {
      const part = standing.parts[number]
      // INVARIANT: a seat has numbers of parts only. What is not there could not hold.
      outcome = part ? outcomeOf(part.holds, input) : 'failed'
      if (!part?.readsAction) outcomes[number] = outcome
    }
    if (outcome !== 'applies') return outcome
  }
  return 'applies'
}

function judge(action: string, said: Said, question: Question): Ruling {
  const { permits, forbids, failing, open } = said
  // Where nobody could permit, neither forbids nor failures made the difference.
  if (!open) return ruling(action, 'unmatched')
  // INVARIANT: Cedar skips a policy that errs. If that policy is a forbid, its answer is `allow`.
  if (failing.length > 0) return ruling(action, 'failed', [], failing)
  if (forbids.length > 0) return ruling(action, 'forbidden', forbids)
  if (permits.length === 0) return ruling(action, 'unmatched')
  const demanding = permits.filter(
    ({ sender }) => sender !== null && !satisfies(question.sender, sender),
  )
  const unmet = demanding.length > 0
  return ruling(
    action,
    unmet ? 'sender_unmet' : 'permitted',
    (unmet ? demanding : permits).map(idOf),
  )
}

function idOf({ id }: Seat): string {
  return id
}

function ruling(
  action: string,
  result: Ruling['result'],
  policies: readonly string[] = [],
  failing: readonly string[] = [],
): Ruling {
  return { action, result, policies, failing, report: null }
}
