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
  for (const name of Object.keys(values)) {
    const value = values[name]
    if (value !== undefined) known[name] = { value, grade, source, observedAt }
  }
  return known
}

/** A set beyond this is not told: a part of it would say less than is so. */
const MAX_TAGS = 100

/**
 * Tags as `key=value`. An `=` in a key is written `%3D`, so that no two tags read the same.
 * @returns undefined where there are too many
 */
export function tagTexts(
  tags: readonly (readonly [key: string, value: string])[],
): readonly string[] | undefined {
  if (tags.length > MAX_TAGS) return undefined
  return tags.map(([key, value]) => `${key.replaceAll('%', '%25').replaceAll('=', '%3D')}=${value}`)
}
