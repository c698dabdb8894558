/** A bounded memory of results that can be made again. */

/** The last results by key; the one that was not asked for longest goes first. */
export type Cache<T> = {
  /** What is remembered under a key; otherwise what `make` makes, unless it throws. */
  readonly recall: (key: string, make: () => T) => T
}

/** An empty cache of at most `size` results. */
export function createCache<T>(size: number): Cache<T> {
  // Two halves instead of an order: a hit in the younger half, the common case, moves nothing.
  let young = new Map<string, T>()
  let old = new Map<string, T>()
  return {
    recall(key, make) {
      const known = young.get(key)
      if (known !== undefined) return known
      const result = old.get(key) ?? make()
      if (young.size >= size / 2) {
        old = young
        young = new Map()
      }
      young.set(key, result)
      return result
    },
  }
}
