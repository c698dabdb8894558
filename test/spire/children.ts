/** Programs that run beside a test, and how long to wait for what they do. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Program, program } from './environment.ts'

const PATIENCE_MS = 60_000
const STEP_MS = 200
const LOG_CHARACTERS = 4_000

/** Runs a program to its end. @returns what it printed @throws Error with what it said of its failure */
export async function print(name: Program, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program(name), [...args])
  return stdout
}

/** Whoever ends what was begun: a test, for one. */
export type Owner = { readonly after: (end: () => unknown) => void }

/** A program under way. */
export class Child {
  private readonly process: ChildProcess
  private readonly name: Program
  private log = ''

  /** Starts it; stopped when its owner ends, whatever became of it. */
  constructor(owner: Owner, name: Program, ...args: readonly string[]) {
    this.name = name
    this.process = spawn(program(name), [...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on('data', (chunk) => {
        this.log = (this.log + chunk).slice(-LOG_CHARACTERS)
      })
    }
    owner.after(() => this.stop())
  }

  /** Waits until something holds. @throws Error with the end of its log when that takes too long, or it ends before */
  async until<Found>(what: string, find: () => Promise<Found | null>): Promise<Found> {
    const failed = (how: string) =>
      new Error(`${this.name} ${how}, waiting for ${what}:\n${this.log}`)
    for (let waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
      if (this.process.exitCode !== null) throw failed(`ended with ${this.process.exitCode}`)
      const found = await find().catch(() => null)
      if (found !== null) return found
      await pause(STEP_MS)
    }
    throw failed('was too slow')
  }

  private async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    const ended = once(this.process, 'exit')
    this.process.kill('SIGTERM')
    const lastResort = setTimeout(() => this.process.kill('SIGKILL'), 10_000)
    await ended
    clearTimeout(lastResort)
  }
}
