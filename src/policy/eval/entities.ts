/** What is known about entities, and what a policy is evaluated on. */

import { EvaluationError } from './failure.ts'
import { asString, asUid, type Fields, mistyped, Uid, type Value, ValueSet } from './value.ts'

/** One known entity. */
export type Entity = {
  readonly attributes: Fields
  readonly tags: Fields
  /** Keys of everything it is in, at any depth, itself excepted. */
  readonly ancestors: ReadonlySet<string>
}

/** The known entities by the keys of their uids. An unknown one has no attributes, no tags, no ancestors. */
export type Entities = { readonly get: (key: string) => Entity | undefined }

/** The input of an evaluation: the four variables, and what is known about entities. */
export type Request = {
  readonly principal: Uid
  readonly action: Uid
  readonly resource: Uid
  readonly context: Fields
  readonly entities: Entities
}

/**
 * `left in right`. Reflexive, also for an unknown entity. Where `right` is a set, every element has to be an
 * entity, whether or not an earlier one already matches.
 */
export function isIn(left: Value, right: Value, entities: Entities): boolean {
  const uid = asUid(left)
  if (right instanceof Uid) return isBelow(uid, right, entities)
  if (!(right instanceof ValueSet)) throw mistyped('an entity or a set of entities', right)
  const containers = right.elements.map(asUid)
  return containers.some((container) => isBelow(uid, container, entities))
}

function isBelow(uid: Uid, container: Uid, entities: Entities): boolean {
  return uid.key === container.key || entities.get(uid.key)?.ancestors.has(container.key) === true
}

/** `of.a.b.c`, on records and on entities. */
export function attribute(of: Value, path: readonly string[], entities: Entities): Value {
  let value = of
  for (const name of path) {
    const next = fieldsOf(value, entities)?.get(name)
    if (next === undefined) throw new EvaluationError(`there is no attribute ${name}`)
    value = next
  }
  return value
}

/** `of has a.b.c`: each step is looked at only where the one before it is there. */
export function hasPath(of: Value, path: readonly string[], entities: Entities): boolean {
  let value = of
  for (const name of path) {
    const next = fieldsOf(value, entities)?.get(name)
    if (next === undefined) return false
    value = next
  }
  return true
}

/** `of.hasTag(name)`: false for an unknown entity. */
export function hasTag(of: Value, name: Value, entities: Entities): boolean {
  const [uid, tag] = [asUid(of), asString(name)]
  return entities.get(uid.key)?.tags.has(tag) === true
}

/** `of.getTag(name)`. */
export function tagOf(of: Value, name: Value, entities: Entities): Value {
  const [uid, tag] = [asUid(of), asString(name)]
  const found = entities.get(uid.key)?.tags.get(tag)
  if (found === undefined) throw new EvaluationError(`there is no tag ${tag}`)
  return found
}

function fieldsOf(value: Value, entities: Entities): Fields | undefined {
  if (value instanceof Map) return value
  if (value instanceof Uid) return entities.get(value.key)?.attributes
  throw mistyped('a record or an entity', value)
}
