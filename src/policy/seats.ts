/** The policies that can have a say before one audience, laid out for deciding: what is used together is together. */

import { outcomeOfAll } from './eval/authorize.ts'
import type { Part } from './eval/compile.ts'
import type { Request } from './eval/entities.ts'
import type { Uid } from './eval/value.ts'
import type { Policy } from './generation.ts'

/** A policy with what a decision needs of it. */
export type Seat = Pick<
  Policy,
  'id' | 'effect' | 'mode' | 'expires' | 'ttl' | 'sender' | 'format'
> & {
  /** Its conditions, by their numbers among those of all seats. */
  readonly conditions: readonly number[]
}

/** One action that can be asked for, and the policies whose heads match it, by id. */
export type Offer = {
  readonly action: Uid
  readonly enforced: readonly Seat[]
  /** Those whose mode is `report`. */
  readonly reported: readonly Seat[]
}

/** Seats by policy, and the conditions of all of them: one that several policies share is there once. */
export type Seating = {
  readonly seats: ReadonlyMap<Policy, Seat>
  readonly parts: readonly Part[]
}

/**
 * Gives every policy a seat, in the order given.
 *
 * @param shared the conditions of other seatings, by their text: equal ones are evaluated by the same code,
 *   which so stays in the processor's cache
 */
export function seat(policies: readonly Policy[], shared: Map<string, Part>): Seating {
  const numbers = new Map<string, number>()
  const parts: Part[] = []
  const numberOf = (part: Part): number => {
    const known = numbers.get(part.text)
    if (known !== undefined) return known
    numbers.set(part.text, parts.length)
    const common = shared.get(part.text) ?? part
    shared.set(part.text, common)
    return parts.push(common) - 1
  }
  const seats = policies.map((policy): [Policy, Seat] => {
    const { id, effect, mode, expires, ttl, sender, format, program } = policy
    const conditions = program.conditions.map(numberOf)
    return [policy, { id, effect, mode, expires, ttl, sender, format, conditions }]
  })
  return { seats: new Map(seats), parts }
}

/** The seats whose policies speak about the action of a request. Their heads read nothing else that varies. */
export function offer({ seats }: Seating, request: Request): Offer {
  const named = [...seats]
    .filter(([{ program }]) => outcomeOfAll(program.head, request) === 'applies')
    .map(([, seat]) => seat)
  return {
    action: request.action,
    enforced: named.filter(({ mode }) => mode === 'enforce'),
    reported: named.filter(({ mode }) => mode === 'report'),
  }
}
