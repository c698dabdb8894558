/** One kind of object of a cluster as it is known now: records by namespace and name, each kept by its uid. */

import { isObject, type JsonObject } from '../../src/net/json.ts'

/** What all records have. */
export type Identified = { readonly uid: string }

/** Makes a record of an object of the API; null when the object is not what it should be. */
export type Project<Item extends Identified> = (object: JsonObject) => Item | null

/** The key of an object: unique among those that exist at one time. */
export function keyOf(namespace: string | null, name: string): string {
  return namespace === null ? name : `${namespace}/${name}`
}

/** Which object of the API this is, whatever else it holds; null when it does not say. */
export function keyOfObject(object: JsonObject): string | null {
  const { metadata } = object
  if (!isObject(metadata)) return null
  const { namespace, name } = metadata
  if (typeof name !== 'string' || name === '') return null
  return keyOf(typeof namespace === 'string' ? namespace : null, name)
}

/** More objects than the collection may hold. */
export class CollectionFull extends Error {
  constructor(limit: number) {
    super(`there are more than ${limit} of them, which is the limit`)
    this.name = 'CollectionFull'
  }
}

/** The records of one kind. A relist fills a second map and replaces the first at once, so that it is never half empty. */
export class Records<Item extends Identified> {
  private items = new Map<string, Item>()
  private refusedKeys = new Set<string>()
  private readonly project: Project<Item>
  private readonly limit: number

  constructor(project: Project<Item>, limit: number) {
    this.project = project
    this.limit = limit
  }

  get size(): number {
    return this.items.size
  }

  /** How many objects exist that could not be read; nothing is known of them. */
  get refused(): number {
    return this.refusedKeys.size
  }

  get(key: string): Item | undefined {
    return this.items.get(key)
  }

  /** An empty collection of the same kind, to be filled by a list. */
  successor(): Records<Item> {
    return new Records(this.project, this.limit)
  }

  /** Takes over everything that a list has brought. What it did not bring is gone. */
  become(successor: Records<Item>): void {
    this.items = successor.items
    this.refusedKeys = successor.refusedKeys
  }

  /**
   * Puts an object in the place of whatever had its name. One that cannot be read leaves its place empty: what was
   * there before is no longer so.
   * @throws CollectionFull
   */
  put(key: string, object: JsonObject): void {
    const item = this.project(object)
    if (item === null) {
      this.items.delete(key)
      this.refusedKeys.add(key)
    } else {
      this.refusedKeys.delete(key)
      this.items.set(key, item)
    }
    if (this.items.size + this.refusedKeys.size > this.limit) throw new CollectionFull(this.limit)
  }

  /** Counts an object of a list that does not even say which it is. */
  refuseNameless(): void {
    // No object of Kubernetes has such a name.
    this.refusedKeys.add(`#${this.refusedKeys.size}`)
  }

  remove(key: string): void {
    this.items.delete(key)
    this.refusedKeys.delete(key)
  }

  clear(): void {
    this.items.clear()
    this.refusedKeys.clear()
  }
}
