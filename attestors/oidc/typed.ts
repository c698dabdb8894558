/**
 * Claims with types. Platforms write `"true"` where they mean true and leave out or empty what they do not know; a
 * fact is of the type that policies expect, or absent, or the token is refused. No I/O. No clock.
 */

import type { Fact } from '../../src/identity.ts'
import type { Json, JsonObject } from '../../src/net/json.ts'
import { invalidClaim } from '../claims.ts'
import { claimAlong, stepsOf } from './places.ts'

/** How a claim is read: the names that an entry's `claims` use. */
export const CLAIM_TYPES = ['string', 'integer', 'boolean', 'strings'] as const
export type ClaimType = (typeof CLAIM_TYPES)[number]

/** One fact: where it is in the token, its type, and whether a token without it is refused. */
export type ClaimRule = {
  readonly place: string
  /** The place, taken apart. */
  readonly steps: readonly string[]
  readonly type: ClaimType
  readonly required: boolean
  /** What a text has to look like. */
  readonly form?: RegExp
}

/** Rules by the name of the fact. */
export type ClaimSchema = Readonly<Record<string, ClaimRule>>

/** A claim that every token of the platform has. */
export function must(place: string, form?: RegExp, type: ClaimType = 'string'): ClaimRule {
  return { place, steps: stepsOf(place), type, required: true, ...(form && { form }) }
}

/** A claim that a token may lack, have as null, or have empty. */
export function may(place: string, type: ClaimType = 'string'): ClaimRule {
  return { place, steps: stepsOf(place), type, required: false }
}

/** Names of claims, as many a line as fit. */
export function names(...lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => line.split(' '))
}

/**
 * Reads the claims of a token whose signature holds.
 * @returns values by the name of the fact, absent ones left out
 * @throws Refusal `claim_invalid`
 */
export function readFacts(
  claims: JsonObject,
  rules: readonly (readonly [name: string, rule: ClaimRule])[],
): Record<string, Fact['value']> {
  const values: Record<string, Fact['value']> = {}
  for (const [name, rule] of rules) {
    const found = claimAlong(claims, rule.steps)
    const absent = found === undefined || found === null || found === ''
    if (absent && !rule.required) continue
    values[name] = typed(found, rule)
  }
  return values
}

const EXPECTED: Readonly<Record<ClaimType, string>> = {
  string: 'text without control characters',
  integer: 'a whole number',
  boolean: 'true or false, or one of them as text',
  strings: 'a list of texts',
}

function typed(found: Json | undefined, { place, type, form }: ClaimRule): Fact['value'] {
  const value = READERS[type](found)
  if (value !== undefined && (form === undefined || form.test(String(value)))) return value
  const expected = form === undefined ? EXPECTED[type] : `text that matches ${form.source}`
  throw invalidClaim(place, expected, found)
}

const READERS: Readonly<Record<ClaimType, (found: Json | undefined) => Fact['value'] | undefined>> =
  {
    string: (found) => (isPlain(found) ? found : undefined),
    integer: (found) => (Number.isSafeInteger(found) ? Number(found) : undefined),
    boolean(found) {
      if (found === true || found === 'true') return true
      return found === false || found === 'false' ? false : undefined
    },
    strings: (found) => (Array.isArray(found) && found.every(isPlain) ? found : undefined),
  }

function isPlain(found: unknown): found is string {
  return typeof found === 'string' && found !== '' && !/\p{Cc}/u.test(found)
}
