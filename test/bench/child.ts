/** A server in a process of its own, seen from the bench. Its other side is `serve.ts`. */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Message, Ready } from './serve.ts'

/** A server that answers. */
export type Child = Ready & {
  /** CPU time of the process so far, all threads, in µs. */
  cpuMicros(): Promise<number>
  stop(): Promise<void>
}

const STOP_MS = 3_000
const STDERR_KEPT = 4_000

/**
 * Starts `servers/NAME.ts` and waits until it listens. It ends with this process at the latest: it watches the channel
 * between the two.
 *
 * @throws Error with what it said on standard error when it ends instead
 */
export async function startChild(name: string, settings: object): Promise<Child> {
  const script = resolve(import.meta.dirname, 'servers', `${name}.ts`)
  const child = fork(script, [JSON.stringify(settings)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-STDERR_KEPT)
  })
  const ended = once(child, 'close').then(([code]) => {
    throw new Error(`the server ${name} ended with code ${code}:\n${said}`)
  })
  ended.catch(() => undefined)
  const reply = async () => (await Promise.race([once(child, 'message'), ended]))[0] as Message

  const ready = await reply()
  if (ready.kind !== 'ready') throw new Error(`the server ${name} began with ${ready.kind}`)
  return {
    ...ready,
    async cpuMicros() {
      const replied = reply()
      child.send('cpu')
      const message = await replied
      if (message.kind !== 'cpu') throw new Error(`the server ${name} answered ${message.kind}`)
      return message.micros
    },
    stop: () => stop(child),
  }
}

/** Lets it end by itself, so that `--cpu-prof` can write its profile; but not for ever. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'exit')
  const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  if (child.connected) child.disconnect()
  await closed
  clearTimeout(patience)
}
