/**
 * One call over gRPC (gRPC over HTTP/2), as a client of the SPIFFE Workload API needs it: without TLS, one message out,
 * and the first that comes back. A call has its own connection, which ends with it.
 */

import { type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2'
import { createConnection } from 'node:net'
import { systemTimers, type Timers } from '../../../net/timers.ts'
import { GrpcError, STATUS } from './failure.ts'

/** Where a server listens. */
export type Place = { readonly path: string } | { readonly host: string; readonly port: number }

/** One call. */
export type Call = {
  readonly place: Place
  /** `/Service/Method`. */
  readonly method: string
  readonly metadata: Readonly<Record<string, string>>
  readonly message: Buffer
  /** How long everything together may take. */
  readonly timeoutMs: number
  readonly timers?: Timers
}

/** What clients of gRPC usually take. The bundles of many federated trust domains come along with an X.509-SVID. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024
const PREFIX_BYTES = 5
const MAX_SAID = 200

/**
 * Makes a call.
 * @returns the first message of the answer
 * @throws GrpcError
 */
export function call({ timers = systemTimers, ...asked }: Call): Promise<Buffer> {
  const { place, method, metadata, message, timeoutMs } = asked
  return new Promise((resolve, reject) => {
    const socket = createConnection(place)
    const session = connect('http://localhost', { createConnection: () => socket })
    const cancel = timers.after(timeoutMs, () =>
      fail(new GrpcError(STATUS.deadlineExceeded, `no answer within ${timeoutMs} ms`)),
    )
    const end = () => {
      cancel()
      session.destroy()
    }
    const fail = (error: GrpcError) => {
      reject(error)
      end()
    }
    const broken = (cause: Error) =>
      fail(new GrpcError(STATUS.unavailable, codeOf(cause), { cause }))
    // The socket knows the reason, and tells it first.
    for (const part of [socket, session]) part.on('error', broken)
    // Without an error too: a server that hangs up before it answers.
    socket.on('close', () => fail(new GrpcError(STATUS.unavailable, 'the connection was closed')))
    const stream = session.request({
      ':method': 'POST',
      ':path': method,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...metadata,
    })
    stream.on('error', broken)
    readAnswer(stream, {
      message(found) {
        resolve(found)
        end()
      },
      fail,
    })
    stream.end(framed(message))
  })
}

/** Length-Prefixed-Message: not compressed, four bytes of length. */
export function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

type Answered = {
  readonly message: (found: Buffer) => void
  readonly fail: (error: GrpcError) => void
}

function readAnswer(stream: ClientHttp2Stream, answered: Answered): void {
  const chunks: Buffer[] = []
  let received = 0
  let needed = PREFIX_BYTES
  const judge = (headers: IncomingHttpHeaders) => {
    const error = errorOf(headers)
    if (error !== null) answered.fail(error)
  }
  stream.on('response', (headers) => {
    const type = headers['content-type'] ?? ''
    if (headers[':status'] !== 200 || !/^application\/grpc(?:\+proto)?$/.test(type)) {
      answered.fail(new GrpcError(null, 'it does not speak gRPC'))
    } else judge(headers)
  })
  stream.on('trailers', judge)
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    received += chunk.length
    if (received < needed) return
    const message = Buffer.concat(chunks)
    needed = PREFIX_BYTES + message.readUInt32BE(1)
    if (message[0] !== 0) answered.fail(new GrpcError(null, 'its answer is compressed'))
    else if (needed > PREFIX_BYTES + MAX_MESSAGE_BYTES) {
      answered.fail(new GrpcError(null, 'its answer is too long'))
    } else if (received >= needed) answered.message(message.subarray(PREFIX_BYTES, needed))
  })
  // What comes with trailers has been told by then.
  stream.on('end', () => answered.fail(new GrpcError(null, 'it answered with nothing')))
}

/** What the headers or trailers say went wrong; null for nothing, or nothing yet. */
function errorOf({ 'grpc-status': status, 'grpc-message': said }: IncomingHttpHeaders) {
  if (status === undefined || status === '0') return null
  const isCode = typeof status === 'string' && /^[0-9]{1,2}$/.test(status)
  return new GrpcError(isCode ? Number(status) : null, sentenceOf(said))
}

/** Percent-encoded (gRPC over HTTP/2, "Status-Message"), and another program's words. */
function sentenceOf(said: string | readonly string[] | undefined): string {
  const text = typeof said === 'string' ? said : ''
  const plain = text.replace(/%([0-9A-Fa-f]{2})/g, (_all, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return plain.replace(/\p{C}/gu, ' ').slice(0, MAX_SAID)
}

function codeOf(cause: Error): string {
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.name
}
