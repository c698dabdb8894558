/** The CLI: as a process of its own where signals, kills or pipes matter, else called in this one. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import { main } from '../../src/cli/main.ts'

const CLI = resolve(import.meta.dirname, '../../src/cli.ts')

export type Finished = { readonly code: number | null; readonly out: string; readonly err: string }

export type Started = {
  readonly child: ChildProcess
  /** What it has written so far. */
  readonly out: () => string
  readonly err: () => string
  /** Resolves with the match once either stream has it; rejects if the process ends first. */
  until(pattern: RegExp): Promise<RegExpMatchArray>
  readonly finished: Promise<Finished>
}

/** Starts `countersign ARGS`; it is killed when the test ends. */
export function start(t: Pick<TestContext, 'after'>, ...args: readonly string[]): Started {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const look of [...waiting]) look()
  }
  child.stdout?.on('data', (chunk) => {
    out += chunk
    wake()
  })
  child.stderr?.on('data', (chunk) => {
    err += chunk
    wake()
  })
  const finished = once(child, 'close').then(([code]): Finished => ({ code, out, err }))
  t.after(async () => {
    child.kill('SIGKILL')
    await finished
  })
  return {
    child,
    out: () => out,
    err: () => err,
    finished,
    until(pattern) {
      return new Promise((fulfil, reject) => {
        const look = () => {
          const match = out.match(pattern) ?? err.match(pattern)
          if (match === null) return
          waiting.delete(look)
          fulfil(match)
        }
        waiting.add(look)
        look()
        finished.then(() => reject(new Error(`ended before ${pattern}:\n${out}\n${err}`)))
      })
    },
  }
}

/** Runs `countersign ARGS` to its end, in this process. A command that serves is told to stop at once. */
export async function run(...args: readonly string[]): Promise<Finished> {
  let out = ''
  let err = ''
  const sink = (add: (text: string) => void) =>
    new Writable({
      write(chunk, _encoding, done) {
        add(String(chunk))
        done()
      },
    })
  const code = await main(args, {
    out: (line) => {
      out += `${line}\n`
    },
    note: (line) => {
      err += `${line}\n`
    },
    stdout: sink((text) => {
      out += text
    }),
    stderr: sink((text) => {
      err += text
    }),
    env: {},
    colour: false,
    stopped: () => Promise.resolve(),
    now: Date.now,
  })
  return { code, out, err }
}
