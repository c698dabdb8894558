/** Time that passes and chance, as the network room sees them: injected, so that tests need neither. */

import { randomInt } from 'node:crypto'

export type Timers = {
  /** Runs a task once after a delay in milliseconds. Returns what cancels it. */
  after(delayMs: number, task: () => void): () => void
  /** A number in [0, 1) that spreads refreshes of many replicas. Nothing secret hangs on it. */
  random(): number
}

const RANDOM_STEPS = 2 ** 32

/** The process's own. Pending tasks do not keep it alive. */
export const systemTimers: Timers = {
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
  random: () => randomInt(RANDOM_STEPS) / RANDOM_STEPS,
}
