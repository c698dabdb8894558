/** Grouping: all calls made within one event-loop turn reach the store as one commit. */

/**
 * Turns a function over many items into one over a single item.
 *
 * A transaction costs an fsync; at load, dozens of requests share the one of their turn (the gain measured
 * for SQLite is more than twofold, and far more on a slow disk).
 *
 * @param commit handles the items of one turn, in order, and answers each; if it throws, every caller of
 *   that turn gets the error: a batch is never half answered
 */
export function grouped<Item, Result>(
  commit: (items: readonly Item[]) => readonly Result[] | Promise<readonly Result[]>,
): (item: Item) => Promise<Result> {
  type Waiting = { resolve: (result: Result) => void; reject: (error: unknown) => void }
  let items: Item[] = []
  let waiting: Waiting[] = []

  async function flush(): Promise<void> {
    const batch = items
    const callers = waiting
    items = []
    waiting = []
    try {
      const results = await commit(batch)
      callers.forEach((caller, index) => {
        caller.resolve(results[index] as Result)
      })
    } catch (error) {
      for (const caller of callers) caller.reject(error)
    }
  }

  return (item) =>
    new Promise<Result>((resolve, reject) => {
      items.push(item)
      waiting.push({ resolve, reject })
      if (items.length === 1) setImmediate(flush)
    })
}
