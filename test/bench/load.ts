/**
 * The load generator: keep-alive connections, each with one request under way. It shares two cores with the server
 * that it measures, so it does little: requests are bytes made beforehand, and of an answer only status and length
 * are read. An answer other than 2xx ends the run, because a bench that measures errors is worthless.
 */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Figures } from './contender.ts'

/** What is sent, where to, and for how long. */
export type Load = {
  readonly url: string
  readonly connections: number
  readonly seconds: number
  /** The next request as bytes; undefined when the supply is used up. */
  readonly next: () => Buffer | undefined
}

/** What the generator can see of a server. */
export type Seen = Pick<Figures, 'operations' | 'perSecond' | 'latency'>

/** The bytes of one form post. @param dpop a header; undefined for none */
export function formPost(url: string, form: string, dpop?: string): Buffer {
  const { host, pathname } = new URL(url)
  return Buffer.from(
    `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\naccept: application/json\r\n` +
      (dpop === undefined ? '' : `dpop: ${dpop}\r\n`) +
      `content-type: application/x-www-form-urlencoded\r\ncontent-length: ${Buffer.byteLength(form)}\r\n\r\n${form}`,
  )
}

/** Puts load on a server. @throws Error with status and body of the first answer that is not 2xx */
export async function load({ url, connections, seconds, next }: Load): Promise<Seen> {
  const { hostname, port } = new URL(url)
  const wires = Array.from({ length: connections }, () => new Wire(Number(port), hostname))
  const latencies: number[] = []
  try {
    await Promise.all(wires.map((wire) => wire.open()))
    const start = performance.now()
    const deadline = start + seconds * 1000
    const drive = async (wire: Wire) => {
      let now = performance.now()
      while (now < deadline) {
        const request = next()
        if (request === undefined) return
        await wire.exchange(request)
        const answered = performance.now()
        latencies.push(answered - now)
        now = answered
      }
    }
    await Promise.all(wires.map(drive))
    return summary(latencies, performance.now() - start)
  } finally {
    for (const wire of wires) wire.close()
  }
}

function summary(latencies: readonly number[], elapsed: number): Seen {
  if (latencies.length === 0) throw new Error('a round without a single answer')
  const sorted = Float64Array.from(latencies).sort()
  const quantile = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
  return {
    operations: sorted.length,
    perSecond: (sorted.length / elapsed) * 1000,
    latency: {
      mean: sorted.reduce((sum, each) => sum + each, 0) / sorted.length,
      p50: quantile(0.5),
      p99: quantile(0.99),
    },
  }
}

const HEAD_END = '\r\n\r\n'
/** Where the status stands in `HTTP/1.1 200 OK`. */
const STATUS_AT = 9
const LENGTH = /\r\ncontent-length: *(\d+)\r\n/i

type Waiting = { readonly resolve: () => void; readonly reject: (error: Error) => void }

/** One keep-alive connection. */
class Wire {
  private readonly socket: Socket
  private received: Buffer<ArrayBufferLike> = Buffer.alloc(0)
  private waiting: Waiting | null = null

  constructor(port: number, host: string) {
    this.socket = connect({ port, host, noDelay: true })
    this.socket.on('data', (chunk: Buffer) => this.take(chunk))
    this.socket.on('error', (error) => this.fail(error))
    this.socket.on('close', () => this.fail(new Error('the server closed the connection')))
  }

  async open(): Promise<void> {
    await once(this.socket, 'connect')
  }

  exchange(request: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject }
      this.socket.write(request)
    })
  }

  close(): void {
    this.waiting = null
    this.socket.destroy()
  }

  private take(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk])
    const end = this.received.indexOf(HEAD_END)
    if (end === -1) return
    const head = this.received.toString('latin1', 0, end + 2)
    // Both servers send a length; without one the whole answer is in doubt.
    const length = Number(LENGTH.exec(head)?.[1])
    if (this.received.length < end + HEAD_END.length + length) return
    const answer = this.received
    this.received = Buffer.alloc(0)
    const isGood = head[STATUS_AT] === '2' && !Number.isNaN(length)
    if (isGood) this.succeed()
    else this.fail(new Error(`an answer that is not 2xx with a length:\n${answer.toString()}`))
  }

  private succeed(): void {
    const waiting = this.waiting
    this.waiting = null
    waiting?.resolve()
  }

  private fail(error: Error): void {
    this.waiting?.reject(error)
    this.waiting = null
  }
}
