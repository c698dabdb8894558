/** Values of a test file, each with its path in the file, so that every fault is reported at its place. */

import type { Findings, SettingPath } from '../config/findings.ts'
import { didYouMean } from '../suggest.ts'
import { DURATION_PATTERN, seconds } from '../units.ts'

/** One value as written, and where. */
export type Field = { readonly value: unknown; readonly at: SettingPath }

/** The fields of a mapping. */
export type Fields = ReadonlyMap<string, Field>

/** The fields of a mapping whose names are known; the others are errors. Empty where it is none. */
export function fieldsOf({ value, at }: Field, known: readonly string[], find: Findings): Fields {
  const fields = mapping({ value, at }, find)
  for (const [name, field] of fields) {
    if (known.includes(name)) continue
    find.error(field.at, `is not a field here${didYouMean(name, known)}`, 'key')
  }
  return fields
}

/** The fields of a mapping with names of any kind. */
export function mapping({ value, at }: Field, find: Findings): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    find.error(at, 'is not a mapping of fields')
    return new Map()
  }
  return new Map(
    Object.entries(value).map(([name, inner]) => [name, { value: inner, at: [...at, name] }]),
  )
}

/** The items of a list; a single value is a list of one. */
export function items({ value, at }: Field): Field[] {
  if (!Array.isArray(value)) return [{ value, at }]
  return value.map((item: unknown, index) => ({ value: item, at: [...at, index] }))
}

/** A text, or null after reporting that there is none. */
export function text({ value, at }: Field, find: Findings): string | null {
  if (typeof value === 'string' && value !== '') return value
  find.error(at, 'is not a text')
  return null
}

/** One of a few words. */
export function word<Word extends string>(
  { value, at }: Field,
  words: readonly Word[],
  find: Findings,
): Word | null {
  const found = words.find((each) => each === value)
  if (found !== undefined) return found
  const hint = didYouMean(String(value), words)
  find.error(at, `is ${JSON.stringify(value)}, not one of ${words.join(', ')}${hint}`)
  return null
}

/** A duration such as `15m`, or whole seconds. */
export function duration({ value, at }: Field, find: Findings): number | null {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  if (typeof value === 'string' && new RegExp(DURATION_PATTERN).test(value)) return seconds(value)
  find.error(at, `is ${JSON.stringify(value)}, not a duration such as 5m, or seconds`)
  return null
}

/** A whole number that is not negative. */
export function count({ value, at }: Field, find: Findings): number | null {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  find.error(at, `is ${JSON.stringify(value)}, not a whole number`)
  return null
}
