/**
 * The one door out: every HTTP request of our own passes here. It goes only to an origin that the caller
 * read from its configuration, only to an address that was checked, follows no redirect, knows no proxy,
 * and ends: a whole answer after five seconds or 256 KiB, a stream when it falls silent.
 */

import { isUtf8 } from 'node:buffer'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import {
  type Address,
  checkedAddresses,
  checkUrl,
  type Dialled,
  type DoorCode,
  DoorError,
  type DoorRequest,
  dial,
  failure,
  type Lookup,
  systemLookup,
} from './dial.ts'
import { systemTimers, type Timers } from './timers.ts'

export { type Address, type DoorCode, DoorError, type DoorRequest }

/** A 2xx answer, complete. */
export type DoorAnswer = { readonly body: string; readonly headers: IncomingHttpHeaders }

/** How an answer is read that may go on for as long as the other side has something to say. */
export type Reading = {
  /** Gets the body piece by piece, the event loop's other work in between. What it throws ends the stream. */
  readonly onChunk: (chunk: Buffer) => void
  /** Hears that the server has accepted: a 2xx head has come. */
  readonly onOpen?: () => void
  /** How long the body may fall silent, in milliseconds. The request's `timeoutMs` ends with the head. */
  readonly idleMs: number
  readonly signal: AbortSignal
}

export interface Door {
  /** Sends one request. Rejects with DoorError and nothing else. */
  (request: DoorRequest): Promise<DoorAnswer>
  /**
   * Sends one request and hands its answer on as it comes. Resolves at its end; rejects with DoorError (`network` when
   * `signal` ended it) or with what `onChunk` threw. `maxBytes` counts only where the request sets it.
   */
  stream(request: DoorRequest, reading: Reading): Promise<void>
}

export type DoorOptions = {
  /** Every address of a host name; default: the system's resolver. */
  readonly lookup?: Lookup
  readonly timers?: Timers
  readonly timeoutMs?: number
  readonly maxBytes?: number
}

const TIMEOUT_MS = 5_000
const MAX_BYTES = 256 * 1024

/** Opens the door. One for the whole process is enough: it holds no state and no connection. */
export function createDoor(options: DoorOptions = {}): Door {
  const door = {
    timers: options.timers ?? systemTimers,
    lookup: options.lookup ?? systemLookup,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    maxBytes: options.maxBytes ?? MAX_BYTES,
  }
  return Object.assign((request: DoorRequest) => wholeAnswer(request, door), {
    stream: (request: DoorRequest, reading: Reading) => streamAnswer(request, reading, door),
  })
}

type Limits = Required<DoorOptions>

async function wholeAnswer(request: DoorRequest, door: Limits): Promise<DoorAnswer> {
  const url = checkUrl(request)
  const patience = new Patience(url, door.timers, request.timeoutMs ?? door.timeoutMs)
  let dialled: Dialled | undefined
  try {
    dialled = await patience.with(connect(url, request, door, patience.signal))
    const { response } = dialled
    const maxBytes = request.maxBytes ?? door.maxBytes
    return {
      body: await patience.with(readBody(url, response, maxBytes)),
      headers: response.headers,
    }
  } catch (cause) {
    throw failure(url, cause)
  } finally {
    // Nothing of a refused or finished answer is read on, nor does a late one stay open.
    patience.end()
    dialled?.close()
  }
}

async function streamAnswer(request: DoorRequest, reading: Reading, door: Limits): Promise<void> {
  const url = checkUrl(request)
  const patience = new Patience(url, door.timers, request.timeoutMs ?? door.timeoutMs)
  const leave = () => patience.stop(new DoorError('network', `left ${url.origin}`))
  if (reading.signal.aborted) leave()
  reading.signal.addEventListener('abort', leave, { once: true })
  let dialled: Dialled | undefined
  try {
    dialled = await patience.with(connect(url, request, door, patience.signal))
    const { response } = dialled
    reading.onOpen?.()
    patience.renew(reading.idleMs)
    await patience.with(readChunks(url, response, request.maxBytes ?? Infinity, patience, reading))
  } finally {
    reading.signal.removeEventListener('abort', leave)
    patience.end()
    dialled?.close()
  }
}

async function connect(
  url: URL,
  request: DoorRequest,
  door: Limits,
  signal: AbortSignal,
): Promise<Dialled> {
  const addresses = await checkedAddresses(url, request, door.lookup)
  try {
    return await dial(url, request, addresses, signal)
  } catch (cause) {
    throw failure(url, cause)
  }
}

async function readChunks(
  url: URL,
  response: IncomingMessage,
  maxBytes: number,
  patience: Patience,
  { onChunk, idleMs }: Reading,
): Promise<void> {
  let size = 0
  const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  for (;;) {
    const next = await chunks.next().catch((cause: unknown) => {
      throw failure(url, cause)
    })
    if (next.done || patience.signal.aborted) return
    size += next.value.length
    if (size > maxBytes) throw tooLarge(url, maxBytes)
    patience.renew(idleMs)
    onChunk(next.value)
    // A fast server could otherwise keep the event loop to itself for megabytes on end.
    await turn()
  }
}

async function readBody(url: URL, response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw tooLarge(url, maxBytes)
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks)
  if (!isUtf8(body)) throw new DoorError('media_type', `${url.origin} did not answer in UTF-8`)
  return body.toString('utf8')
}

function tooLarge(url: URL, maxBytes: number): DoorError {
  return new DoorError('too_large', `${url.origin} answered with more than ${maxBytes} bytes`)
}

/** How long the other side is waited for. When it runs out, the work is given up and its connection ended. */
class Patience {
  private readonly abort = new AbortController()
  private readonly over = Promise.withResolvers<never>()
  private readonly url: URL
  private readonly timers: Timers
  private cancel: () => void = () => {}

  constructor(url: URL, timers: Timers, timeoutMs: number) {
    this.url = url
    this.timers = timers
    // Whoever waits hears of it; with nobody waiting it is no failure.
    this.over.promise.catch(() => {})
    this.renew(timeoutMs)
  }

  get signal(): AbortSignal {
    return this.abort.signal
  }

  /** Begins anew. */
  renew(timeoutMs: number): void {
    this.cancel()
    this.cancel = this.timers.after(timeoutMs, () => {
      const { origin } = this.url
      this.stop(new DoorError('timeout', `${origin} did not answer within ${timeoutMs} ms`))
    })
  }

  /** @throws DoorError `timeout`, or what `stop` was given; or what the work threw */
  with<Result>(work: Promise<Result>): Promise<Result> {
    return Promise.race([work, this.over.promise])
  }

  stop(error: DoorError): void {
    this.over.reject(error)
    this.abort.abort()
  }

  end(): void {
    this.cancel()
  }
}
