/** One-time requests. RS256 signs in 0.7 ms, more than a server needs to answer: so they are made before the clock runs. */

/** Items that are made once and shown by each of several callers once. */
export type Pool = {
  /** `count` items from a place on, made if nobody has asked for them before. */
  take(from: number, count: number): readonly string[]
}

/** @param make makes one more item; synchronous, so that no round is under way meanwhile */
export function pool(make: () => string): Pool {
  const items: string[] = []
  return {
    take(from, count) {
      while (items.length < from + count) items.push(make())
      return items.slice(from, from + count)
    },
  }
}
