/** Makes the facts of an Identity out of what a platform signed. No I/O. No clock. */

import type { Fact, Facts, Grade } from '../src/identity.ts'

/** Values by fact name; what is undefined is not known. */
export type Values = Readonly<Record<string, Fact['value'] | undefined>>

/**
 * Facts that a platform signed into its token or document. An unknown fact is absent, never null.
 * @param observedAt when it was issued, epoch seconds
 * @param grade A, unless a tenant or the caller chose the values
 * @param source what they were read in
 */
export function signedFacts(
  values: Values,
  observedAt: number,
  grade: Grade = 'A',
  source = 'token',
): Facts {
  const known: Record<string, Fact> = {}
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) known[name] = { value, grade, source, observedAt }
  }
  return known
}
