/** Long work in short turns, so that requests are answered in between. */

import { setImmediate } from 'node:timers/promises'

/** Lets requests have their turn. */
export async function giveWay(): Promise<void> {
  await setImmediate()
}

/** How much work one turn does, in whatever unit the caller weighs: about a millisecond for text. */
const TURN = 16_384

/**
 * Works on each item in order, and gives way to the event loop whenever enough was done.
 *
 * @param weigh the cost of an item; a character of policy text is 1
 */
export async function inTurns<Item>(
  items: Iterable<Item>,
  weigh: (item: Item) => number,
  work: (item: Item) => void,
): Promise<void> {
  let done = 0
  for (const item of items) {
    work(item)
    done += weigh(item)
    if (done < TURN) continue
    done = 0
    await giveWay()
  }
}
