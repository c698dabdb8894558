/** Relative paths: they start at the configuration's folder, wherever the server was started. */

import { resolve } from 'node:path'
import type { TSchema } from 'typebox'
import { isTree } from './shape.ts'

/** SQLite's name for a database that is no file. */
export const IN_MEMORY = ':memory:'

const NO_KEYWORDS = { format: undefined, items: {}, properties: {}, patternProperties: {} }

/**
 * Copies settings with every path made absolute.
 * @param schema marks paths by `format: 'path'`
 * @param folder an absolute path
 */
export function resolvePaths(schema: TSchema, value: unknown, folder: string): unknown {
  const { format, items, properties, patternProperties } = { ...NO_KEYWORDS, ...schema }
  if (typeof value === 'string') {
    return format === 'path' && value !== IN_MEMORY ? resolve(folder, value) : value
  }
  if (Array.isArray(value)) return value.map((item) => resolvePaths(items, item, folder))
  if (!isTree(value)) return value
  const known: Readonly<Record<string, TSchema>> = properties
  // The names of a record are free; all its parts have one schema.
  const [others = {}] = Object.values<TSchema>(patternProperties)
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      name,
      resolvePaths((Object.hasOwn(known, name) ? known[name] : undefined) ?? others, part, folder),
    ]),
  )
}
