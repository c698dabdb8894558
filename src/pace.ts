/**
 * The pace of requests. Those of one event-loop turn start together and take each stage together, so that its
 * code and tables are in the processor's cache for all but the first of them.
 */

/** How many start together at most: beyond that their own data would push each other out of the cache. */
const MOST = 64

/**
 * Makes calls of one turn start together, in the order in which they came.
 *
 * @param begin the calls keep in step from one `await` that has nothing to wait for to the next
 */
export function together<Item, Result>(
  begin: (item: Item) => Promise<Result>,
): (item: Item) => Promise<Result> {
  let waiting: (() => void)[] = []
  function start(): void {
    const starting = waiting.slice(0, MOST)
    waiting = waiting.slice(MOST)
    if (waiting.length > 0) setImmediate(start)
    for (const each of starting) each()
  }
  return (item) =>
    new Promise((resolve) => {
      waiting.push(() => resolve(begin(item)))
      if (waiting.length === 1) setImmediate(start)
    })
}

/** Takes one stage: its work begins after that of every request which came to this stage before. */
export type Pace<Stage> = <Result>(
  stage: Stage,
  work: () => Result | Promise<Result>,
) => Promise<Result>

/**
 * @param stopwatch a monotonic clock, milliseconds
 * @param took hears how long each stage took that did not fail, milliseconds
 */
export function pace<Stage>(
  stopwatch: () => number,
  took: (stage: Stage, milliseconds: number) => void,
): Pace<Stage> {
  return async (stage, work) => {
    // Whoever comes to a stage lets the others come to it, too.
    await null
    const start = stopwatch()
    const under = work()
    const result = under instanceof Promise ? await under : under
    took(stage, stopwatch() - start)
    return result
  }
}
