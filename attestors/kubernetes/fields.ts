/**
 * Reads members of the API's objects by the type that they must have. What is absent or null is undefined, as
 * Kubernetes means it; what has another type makes the object unreadable, never a guess. No I/O. No clock.
 */

import { isObject, type Json, type JsonObject } from '../../src/net/json.ts'

/** An object that does not have the shape of its kind. Caught where objects become records. */
export class Misshapen extends Error {}

const EMPTY: JsonObject = Object.freeze(Object.create(null))
const NONE: readonly never[] = Object.freeze([])

/** More than any object needs that a policy could name. */
const MAX_TEXT = 512
const MAX_ITEMS = 100

function member<T extends Json>(
  parent: JsonObject,
  name: string,
  fits: (value: Json) => value is T,
): T | undefined {
  const value = parent[name]
  if (value === undefined || value === null) return undefined
  if (!fits(value)) throw new Misshapen()
  return value
}

/** An inner object; an empty one where there is none. @throws Misshapen */
export function object(parent: JsonObject, name: string): JsonObject {
  return member(parent, name, isObject) ?? EMPTY
}

/** The objects of a list; none where there is no list. @throws Misshapen */
export function objects(parent: JsonObject, name: string): readonly JsonObject[] {
  return member(parent, name, areObjects) ?? NONE
}

/** The texts of a list; none where there is no list. @throws Misshapen */
export function texts(parent: JsonObject, name: string): readonly string[] {
  return member(parent, name, areTexts) ?? NONE
}

/** Text; undefined also where it is empty, which is how the API writes "none". @throws Misshapen */
export function text(parent: JsonObject, name: string): string | undefined {
  return member(parent, name, isText) || undefined
}

/** Text that must be there. @throws Misshapen */
export function requiredText(parent: JsonObject, name: string): string {
  const found = text(parent, name)
  if (found === undefined || found.length > MAX_TEXT) throw new Misshapen()
  return found
}

/** @throws Misshapen */
export function flag(parent: JsonObject, name: string): boolean | undefined {
  return member(parent, name, isFlag)
}

/** A whole number. @throws Misshapen */
export function whole(parent: JsonObject, name: string): number | undefined {
  return member(parent, name, isWhole)
}

/** Labels as pairs; none where there are none. @throws Misshapen */
export function labels(parent: JsonObject, name: string): readonly (readonly [string, string])[] {
  return Object.entries(object(parent, name)).map(([key, value]) => {
    if (!isText(value)) throw new Misshapen()
    return [key, value] as const
  })
}

/** Text as a fact: unknown where it is longer than anything that a policy would name. */
export function bounded(value: string | undefined): string | undefined {
  return value === undefined || value.length > MAX_TEXT ? undefined : value
}

/** A set as a fact: unknown as a whole where it does not fit, because a part of it would say less than is so. */
export function boundedSet(values: Iterable<string>): readonly string[] | undefined {
  const all = [...new Set(values)].sort()
  const fits = all.length <= MAX_ITEMS && all.every((value) => value.length <= MAX_TEXT)
  return fits ? all : undefined
}

/** Cedar's strings are Unicode text; half a surrogate pair is not. */
function isText(value: Json): value is string {
  return typeof value === 'string' && value.isWellFormed()
}

function areTexts(value: Json): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}

function areObjects(value: Json): value is readonly JsonObject[] {
  return Array.isArray(value) && value.every(isObject)
}

function isFlag(value: Json): value is boolean {
  return typeof value === 'boolean'
}

function isWhole(value: Json): value is number {
  return Number.isSafeInteger(value)
}
