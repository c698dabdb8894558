/**
 * JSON Schema against data, with sentences for people. TypeBox judges every node; this walk only splits
 * objects and lists into their parts, so that each problem is found (TypeBox stops after eight), stands at
 * its own setting, and says what is allowed.
 */

import type { TSchema } from 'typebox'
import type { TValidationError } from 'typebox/error'
import { Errors } from 'typebox/value'
import { suggest } from '../suggest.ts'
import { DURATION_PATTERN, SIZE_PATTERN } from '../units.ts'
import { type Findings, quote, type SettingPath } from './findings.ts'

type Keywords = Readonly<Record<string, unknown>>
type Tree = Readonly<Record<string, unknown>>

/** Reports where `value`, found at `path`, departs from `schema`. */
export function examine(schema: TSchema, value: unknown, path: SettingPath, find: Findings): void {
  const keywords = literalsAsEnum({ ...schema })
  if (isTree(value) && keywords['type'] === 'object') {
    examineObject(keywords, value, path, find)
  } else if (Array.isArray(value) && isTree(keywords['items'])) {
    const { items, ...rest } = keywords
    judge(rest, value, path, find)
    value.forEach((item, index) => {
      examine(items as TSchema, item, [...path, index], find)
    })
  } else {
    judge(keywords, value, path, find)
  }
}

/** Whether a value is a YAML mapping. */
export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function examineObject(keywords: Keywords, value: Tree, path: SettingPath, find: Findings): void {
  const { properties, required, additionalProperties, patternProperties, ...rest } = keywords
  const known = isTree(properties) ? properties : {}
  judge(rest, value, path, find)
  for (const name of Array.isArray(required) ? required : []) {
    if (!Object.hasOwn(value, name)) find.malformed([...path, name], 'is required')
  }
  for (const [name, part] of Object.entries(value)) {
    const below = [...path, name]
    const schema =
      (Object.hasOwn(known, name) ? known[name] : undefined) ??
      byPattern(patternProperties, name) ??
      additionalProperties
    if (isTree(schema)) examine(schema as TSchema, part, below, find)
    else if (schema === false) {
      if (isTree(patternProperties)) find.malformed(below, badName(patternProperties), 'key')
      else find.error(below, unknownName(name, Object.keys(known)), 'key')
    }
  }
}

/** A union of literals is an `enum` by another name; as one it gives one problem, not one for each literal. */
function literalsAsEnum(keywords: Keywords): Keywords {
  const { anyOf, ...rest } = keywords
  if (!Array.isArray(anyOf)) return keywords
  const literals = anyOf.flatMap((part) => (isTree(part) && 'const' in part ? [part['const']] : []))
  return literals.length === anyOf.length ? { ...rest, enum: literals } : keywords
}

function byPattern(patterns: unknown, name: string): unknown {
  if (!isTree(patterns)) return undefined
  return Object.entries(patterns).find(([pattern]) => new RegExp(pattern, 'u').test(name))?.[1]
}

function badName(patterns: Tree): string {
  return `is not a valid name; it must match ${Object.keys(patterns).join(' or ')}`
}

function unknownName(name: string, known: readonly string[]): string {
  const near = suggest(name, known)
  return near === undefined
    ? `is not a setting; allowed here: ${known.join(', ')}`
    : `is not a setting; did you mean ${quote(near)}?`
}

function judge(schema: Keywords, value: unknown, path: SettingPath, find: Findings): void {
  for (const error of Errors(schema, value)) {
    const below = error.instancePath
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
      .map((step) => (/^\d+$/.test(step) ? Number(step) : step))
    // `writeOnly` marks a secret: no message may repeat it.
    const said = schema['writeOnly'] === true ? undefined : value
    find.malformed([...path, ...below], sentence(error, schema, said))
  }
}

/** What is wrong and what is allowed. A schema's `title` says what a string has to be. */
function sentence(error: TValidationError, schema: Keywords, value: unknown): string {
  switch (error.keyword) {
    case 'type':
      return typeSentence(String(error.params.type), value)
    case 'enum':
      return oneOf(error.params.allowedValues, value)
    case 'const':
      return oneOf([error.params.allowedValue], value)
    case 'pattern':
      return `is ${shown(value)}, not ${schema['title'] ?? patternName(String(error.params.pattern))}`
    case 'format':
      return `is ${shown(value)}, not a valid ${error.params.format}`
    case 'maxProperties':
      return `has more than ${error.params.limit} key; give each a list entry of its own`
    case 'minProperties':
    case 'minLength':
    case 'minItems':
      return error.params.limit === 1
        ? 'must not be empty'
        : `needs at least ${error.params.limit} ${error.keyword === 'minLength' ? 'characters' : 'entries'}`
    case 'maxLength':
      return `is longer than ${error.params.limit} characters`
    case 'maxItems':
      return `has more than ${error.params.limit} entries`
    case 'minimum':
      return `is ${shown(value)}, but must be at least ${error.params.limit}`
    case 'maximum':
      return `is ${shown(value)}, but must be at most ${error.params.limit}`
    case 'uniqueItems':
      return 'lists an entry twice'
    default:
      return `is not acceptable: ${'message' in error ? error.message : error.keyword}`
  }
}

function patternName(pattern: string): string {
  if (pattern === DURATION_PATTERN) return 'a duration such as 30s, 15m, 1h or 30d'
  if (pattern === SIZE_PATTERN) return 'a size such as 512B, 64KiB or 1MiB'
  return `text that matches ${pattern}`
}

function typeSentence(type: string, value: unknown): string {
  const wanted = TYPE_NAMES[type] ?? type
  if (value === null) return `has no value; it must be ${wanted}`
  const quoted = type.startsWith('string') && typeof value !== 'object' ? '; put it in quotes' : ''
  return `is ${shown(value)}, but must be ${wanted}${quoted}`
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'a mapping (key: value)',
  array: 'a list',
  'string,array': 'text or a list of texts',
}

function oneOf(allowed: readonly unknown[], value: unknown): string {
  const words = allowed.map(String)
  if (words.length === 1) return `is ${shown(value)}, but must be ${words[0]}`
  // Between names of one letter every other one is near.
  const near = typeof value === 'string' && value.length > 1 ? suggest(value, words) : undefined
  const hint = near === undefined ? '' : `; did you mean ${quote(near)}?`
  return `is ${shown(value)}, but must be one of ${words.join(', ')}${hint}`
}

function shown(value: unknown): string {
  if (value === undefined) return 'a value'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return value === null ? 'empty' : 'a mapping'
  return typeof value === 'string' ? quote(value) : String(value)
}
