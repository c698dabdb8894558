/** How many requests may wait at one time: more are asked to come back, before anything is done for them. */

import { Refusal } from '../refusal.ts'

/** Requests that may wait for a key, a review or the store at one time. */
const MAX_IN_FLIGHT = 2_000

/** @returns a function that runs one request, or throws Refusal `overloaded` */
export function gate(): <Answer>(work: () => Promise<Answer>) => Promise<Answer> {
  let inFlight = 0
  return async (work) => {
    if (inFlight >= MAX_IN_FLIGHT) throw new Refusal('overloaded', { inFlight })
    inFlight += 1
    try {
      return await work()
    } finally {
      inFlight -= 1
    }
  }
}
