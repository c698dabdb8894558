/** A SPIFFE Workload API over a socket, as spire-agent serves it: gRPC, its metadata demanded, its refusals. */

import { generateKeyPairSync } from 'node:crypto'
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { framed } from '../../src/agent/sources/spiffe/grpc.ts'
import { allOf, field, readFields } from '../../src/agent/sources/spiffe/protobuf.ts'
import { alternativeNames, certify } from './certificate.ts'
import { scratch } from './scratch.ts'
import { PLANNER } from './spiffe.ts'

/** What is unlike a good endpoint. */
export type WorkloadFault =
  | 'no-entry'
  | 'hang'
  | 'hang-up'
  | 'http'
  | 'compressed'
  | 'huge'
  | 'garbage'
  | 'empty'
  | 'nothing'
  | 'other-key'
  | 'not-a-jwt'
  | 'refuses'

/** What one endpoint hands out. */
export type Handed = {
  /** A JWT-SVID for an audience. */
  readonly mint: (audience: string) => string
}

export class FakeWorkloadApi {
  fault: WorkloadFault | null = null
  /** `method audience,…` of each call. */
  readonly calls: string[] = []
  readonly path: string
  /** PEM and DER of what it hands out as the X.509-SVID. */
  readonly x509 = x509Svid()
  private readonly server: Http2Server
  private readonly sessions = new Set<ServerHttp2Session>()
  private readonly handed: Handed

  constructor(path: string, handed: Handed) {
    this.path = path
    this.handed = handed
    this.server = createServer()
    this.server.on('session', (session) => this.sessions.add(session))
    this.server.on('stream', (stream: ServerHttp2Stream, headers) => {
      stream.on('error', () => {})
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => this.answer(stream, headers, Buffer.concat(chunks)))
    })
  }

  get socket(): string {
    return `unix://${this.path}`
  }

  async listen(t: TestContext): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(this.path, resolve))
    t.after(async () => {
      for (const session of this.sessions) session.destroy()
      await new Promise((resolve) => this.server.close(resolve))
    })
    return this
  }

  private answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: Buffer): void {
    const method = headers[':path']?.replace('/SpiffeWorkloadAPI/', '') ?? ''
    const audiences = allOf(readFields(body.subarray(5)), 1).map(String)
    this.calls.push(`${method} ${audiences.join()}`)
    if (headers['workload.spiffe.io'] !== 'true') {
      refuse(stream, 3, 'security header missing from request')
      return
    }
    switch (this.fault) {
      case 'hang':
        return
      case 'hang-up':
        stream.session?.destroy()
        return
      case 'no-entry':
        refuse(stream, 7, 'no identity issued')
        return
      case 'refuses':
        refuse(stream, 13, 'bad%0aday%3b')
        return
      case 'http':
        stream.respond({ ':status': 200, 'content-type': 'text/html' })
        stream.end('<p>Welcome</p>')
        return
      case 'nothing':
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
        stream.end()
        return
      default:
        this.give(stream, this.message(method, audiences[0] ?? ''))
    }
  }

  private message(method: string, audience: string): Buffer {
    if (this.fault === 'garbage') return framed(Buffer.from('0affffffffff', 'hex'))
    if (this.fault === 'empty') return framed(Buffer.alloc(0))
    const svid =
      method === 'FetchJWTSVID'
        ? [field(2, this.fault === 'not-a-jwt' ? 'hello' : this.handed.mint(audience))]
        : [field(2, this.x509.der), field(3, this.fault === 'other-key' ? key() : this.x509.key)]
    const message = framed(field(1, Buffer.concat([field(1, PLANNER), ...svid])))
    if (this.fault === 'compressed') message[0] = 1
    if (this.fault === 'huge') message.writeUInt32BE(4 * 1024 * 1024 + 1, 1)
    return message
  }

  /** In two pieces, because a message may come in any. */
  private give(stream: ServerHttp2Stream, message: Buffer): void {
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc' },
      { waitForTrailers: true },
    )
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.write(message.subarray(0, 3))
    stream.end(message.subarray(3))
  }
}

/** The Workload API of one process, on a socket of its own. */
export function startWorkloadApi(t: TestContext, handed: Handed): Promise<FakeWorkloadApi> {
  return new FakeWorkloadApi(join(scratch(t), 'api.sock'), handed).listen(t)
}

/** Refuses without a message ("Trailers-Only"). */
function refuse(stream: ServerHttp2Stream, status: number, message: string): void {
  const said = { 'grpc-status': String(status), 'grpc-message': message }
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', ...said },
    { endStream: true },
  )
}

function key(): Buffer {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'der' })
}

/** A chain of two, because that is what is to be taken apart; nobody verifies it here. */
function x509Svid() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const certificate = (subject: string) =>
    certify({
      subject,
      issuer: 'authority',
      holder: publicKey,
      signer: privateKey,
      extensions: [alternativeNames([['uri', PLANNER]])],
    })
  const pem = [certificate('workload'), certificate('intermediate')]
  const bare = (text: string) => Buffer.from(text.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  return {
    pem: pem.join(''),
    der: Buffer.concat(pem.map(bare)),
    key: privateKey.export({ type: 'pkcs8', format: 'der' }),
  }
}
