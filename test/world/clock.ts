/** A clock that moves only when told, with the timers that hang on it. Nothing sleeps. */

import type { Timers } from '../../src/net/timers.ts'

type Task = { readonly dueMs: number; readonly run: () => void }

export class TestClock {
  private nowMs: number
  private tasks: Task[] = []
  /** `random` is always the middle. */
  readonly timers: Timers

  constructor(startSeconds = 1_800_000_000) {
    this.nowMs = startSeconds * 1000
    this.timers = {
      after: (delayMs, run) => {
        const task = { dueMs: this.nowMs + delayMs, run }
        this.tasks.push(task)
        return () => {
          this.tasks = this.tasks.filter((other) => other !== task)
        }
      },
      random: () => 0.5,
    }
  }

  /** Milliseconds since the epoch. A field, so that it can be handed over as it is. */
  readonly now = (): number => this.nowMs

  /** Seconds since the epoch. */
  seconds(): number {
    return Math.floor(this.nowMs / 1000)
  }

  /** Moves on, and runs what falls due on the way, in order. */
  advance(seconds: number): void {
    const untilMs = this.nowMs + seconds * 1000
    for (;;) {
      const next = this.tasks.reduce<Task | undefined>(
        (first, task) => (first === undefined || task.dueMs < first.dueMs ? task : first),
        undefined,
      )
      if (next === undefined || next.dueMs > untilMs) break
      this.tasks = this.tasks.filter((task) => task !== next)
      this.nowMs = Math.max(this.nowMs, next.dueMs)
      next.run()
    }
    this.nowMs = untilMs
  }

  /** Delays until the pending tasks fall due, in seconds, soonest first. */
  pending(): readonly number[] {
    return this.tasks.map((task) => (task.dueMs - this.nowMs) / 1000).sort((a, b) => a - b)
  }
}

/** Lets everything that is ready run to its end: promises, and callbacks of finished I/O. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
