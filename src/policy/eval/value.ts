/** What Cedar expressions evaluate to, and when two of it are equal. */

import { EvaluationError } from './failure.ts'
import type { Long } from './long.ts'

/** A value. Strings, Longs and booleans are JavaScript's own, so that `===` compares them. */
export type Value =
  | boolean
  | Long
  | string
  | Uid
  | ValueSet
  | Fields
  | Decimal
  | Ip
  | Datetime
  | Duration

/** A record. */
export type Fields = Map<string, Value>

/** The name of an entity. It says nothing about whether the entity is known. */
export class Uid {
  readonly type: string
  readonly id: string
  /** Equal exactly where type and id are: no type contains a quotation mark. */
  readonly key: string

  constructor(type: string, id: string) {
    this.type = type
    this.id = id
    this.key = `${type}::"${id}"`
  }
}

/** A set: neither order nor repetition counts. */
export class ValueSet {
  /** Every element once. */
  readonly elements: readonly Value[]
  /** The elements that `===` compares; made when a set that is not small is first searched. */
  #index: ReadonlySet<Value> | null = null

  constructor(items: readonly Value[]) {
    this.elements = distinct(items)
  }

  has(value: Value): boolean {
    if (typeof value === 'object' || this.elements.length <= FEW)
      return includes(this.elements, value)
    this.#index ??= new Set(this.elements)
    return this.#index.has(value)
  }

  hasAll(other: ValueSet): boolean {
    return other.elements.every((element) => this.has(element))
  }

  hasAny(other: ValueSet): boolean {
    return other.elements.some((element) => this.has(element))
  }
}

/** So many elements are compared faster one by one. */
const FEW = 8

function distinct(items: readonly Value[]): readonly Value[] {
  if (items.length > FEW) {
    const [primitives, others] = [new Set<Value>(), [] as Value[]]
    for (const item of items) {
      if (typeof item !== 'object') primitives.add(item)
      else if (!includes(others, item)) others.push(item)
    }
    return [...primitives, ...others]
  }
  const repeats = items.some((item, index) => includes(items, item, index))
  return repeats ? items.filter((item, index) => !includes(items, item, index)) : items
}

/** Whether a value is among the first `count` items. */
function includes(items: readonly Value[], value: Value, count: number = items.length): boolean {
  for (let index = 0; index < count; index++) {
    const item = items[index]
    if (item !== undefined && equals(item, value)) return true
  }
  return false
}

/** A decimal of four places. */
export class Decimal {
  /** Ten-thousandths. */
  readonly units: Long

  constructor(units: Long) {
    this.units = units
  }
}

/** An address, or a range of them. The bits below the prefix are kept: they count in `==`. */
export class Ip {
  readonly version: 4 | 6
  /** 32 bits each, highest first: one for version 4, four for version 6. */
  readonly words: readonly number[]
  readonly prefix: number

  constructor(version: 4 | 6, words: readonly number[], prefix: number) {
    this.version = version
    this.words = words
    this.prefix = prefix
  }
}

/** An instant. */
export class Datetime {
  /** Since 1970-01-01T00:00:00Z. */
  readonly milliseconds: Long

  constructor(milliseconds: Long) {
    this.milliseconds = milliseconds
  }
}

/** A span of time, perhaps a negative one. */
export class Duration {
  readonly milliseconds: Long

  constructor(milliseconds: Long) {
    this.milliseconds = milliseconds
  }
}

/** Cedar's `==`: structural, and false, never an error, between different types. */
export function equals(a: Value, b: Value): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object') return false
  if (a instanceof Uid) return b instanceof Uid && a.key === b.key
  if (a instanceof ValueSet) {
    return b instanceof ValueSet && a.elements.length === b.elements.length && a.hasAll(b)
  }
  if (a instanceof Map) return b instanceof Map && equalFields(a, b)
  if (a instanceof Ip) return b instanceof Ip && equalIps(a, b)
  if (a instanceof Decimal) return b instanceof Decimal && a.units === b.units
  if (a instanceof Datetime) return b instanceof Datetime && a.milliseconds === b.milliseconds
  return b instanceof Duration && a.milliseconds === b.milliseconds
}

function equalFields(a: Fields, b: Fields): boolean {
  if (a.size !== b.size) return false
  for (const [name, value] of a) {
    const other = b.get(name)
    if (other === undefined || !equals(value, other)) return false
  }
  return true
}

function equalIps(a: Ip, b: Ip): boolean {
  return (
    a.version === b.version &&
    a.prefix === b.prefix &&
    a.words.every((word, index) => word === b.words[index])
  )
}

// Each of these is an expectation of an operator: it returns the value that it was given, or the policy fails.

/** @throws EvaluationError unless the value is a boolean */
export function asBoolean(value: Value): boolean {
  if (typeof value === 'boolean') return value
  throw mistyped('a bool', value)
}

/** @throws EvaluationError unless the value is a long */
export function asLong(value: Value): Long {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  throw mistyped('a long', value)
}

/** @throws EvaluationError unless the value is a string */
export function asString(value: Value): string {
  if (typeof value === 'string') return value
  throw mistyped('a string', value)
}

/** @throws EvaluationError unless the value is a set */
export function asSet(value: Value): ValueSet {
  if (value instanceof ValueSet) return value
  throw mistyped('a set', value)
}

/** @throws EvaluationError unless the value names an entity */
export function asUid(value: Value): Uid {
  if (value instanceof Uid) return value
  throw mistyped('an entity', value)
}

/** The failure of an operator that got the wrong type. */
export function mistyped(expected: string, value: Value): EvaluationError {
  return new EvaluationError(`expected ${expected}, found ${typeName(value)}`)
}

function typeName(value: Value): string {
  if (typeof value === 'object') {
    if (value instanceof Map) return 'a record'
    if (value instanceof ValueSet) return 'a set'
    return value instanceof Uid ? value.type : value.constructor.name.toLowerCase()
  }
  return typeof value === 'number' || typeof value === 'bigint' ? 'a long' : `a ${typeof value}`
}
