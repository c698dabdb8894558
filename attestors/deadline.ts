/** How long an SDK is waited for: it has timeouts of its own, for each step and each retry, but none for the whole. */

import type { Timers } from '../src/net/timers.ts'

/** Work that was given up. The message is for the operator. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
}

/**
 * @param work gets the signal that ends it; whether it heeds that or not, nobody waits any longer
 * @throws DeadlineError when the time is over; else what the work threw
 */
export async function within<Result>(
  timeoutMs: number,
  timers: Timers,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const abort = new AbortController()
  const over = Promise.withResolvers<never>()
  const cancel = timers.after(timeoutMs, () => {
    over.reject(new DeadlineError(`no answer within ${timeoutMs} ms`))
    abort.abort()
  })
  try {
    return await Promise.race([work(abort.signal), over.promise])
  } finally {
    cancel()
  }
}
