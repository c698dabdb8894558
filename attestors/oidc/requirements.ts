/**
 * `require`: what a token has to say beside issuer and audience. At an issuer that signs for everybody it is what
 * makes a token ours, and it is what tells entries of one issuer and audience apart. No I/O. No clock.
 */

import type { JsonObject } from '../../src/net/json.ts'
import { few, printable, Refusal } from '../../src/refusal.ts'
import { canonicalPlace, claimAt } from './places.ts'

/** By the place of a claim: the one text, or all texts, that it may have. */
export type Requirements = Readonly<Record<string, string | readonly string[]>>

/** Whether every requirement holds. Texts are compared byte by byte; a claim that is no text holds for none. */
export function meets(claims: JsonObject, requirements: Requirements): boolean {
  return firstUnmet(claims, requirements) === undefined
}

/** @throws Refusal `subject_untrusted` with the first requirement that does not hold */
export function checkRequirements(claims: JsonObject, requirements: Requirements): void {
  const unmet = firstUnmet(claims, requirements)
  if (unmet === undefined) return
  const [claim, allowed] = unmet
  const found = printable(claimAt(claims, claim))
  throw new Refusal('subject_untrusted', { claim, expected: few(valuesOf(allowed)), found })
}

/** The requirements in one spelling, for comparing entries with each other. */
export function spelled(requirements: Requirements): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.entries(requirements).map(([place, allowed]) => [
      canonicalPlace(place),
      valuesOf(allowed),
    ]),
  )
}

function firstUnmet(claims: JsonObject, requirements: Requirements) {
  return Object.entries(requirements).find(([place, allowed]) => {
    const found = claimAt(claims, place)
    return typeof found !== 'string' || !valuesOf(allowed).includes(found)
  })
}

function valuesOf(allowed: string | readonly string[]): readonly string[] {
  return typeof allowed === 'string' ? [allowed] : allowed
}
