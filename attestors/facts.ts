/** Makes the facts of an Identity out of what a token states. No I/O. No clock. */

import type { Fact, Facts, Grade } from '../src/identity.ts'

/** Values by fact name; what is undefined is not known. */
export type Values = Readonly<Record<string, Fact['value'] | undefined>>

/**
 * Facts that a platform signed into its token. An unknown fact is absent, never null.
 * @param observedAt when the token was issued, epoch seconds
 * @param grade A, unless a tenant or the caller chose the values
 */
export function signedFacts(values: Values, observedAt: number, grade: Grade = 'A'): Facts {
  const known: Record<string, Fact> = {}
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) known[name] = { value, grade, source: 'token', observedAt }
  }
  return known
}
