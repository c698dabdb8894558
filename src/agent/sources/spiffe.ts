/**
 * What the SPIFFE Workload API gives the process that asks (SPIFFE Workload Endpoint and Workload API): a JWT-SVID for
 * an audience, or the X.509-SVID with its key. The agent knows by the socket who asks; nothing secret is sent. HTTP/2 is
 * loaded when a source is first asked.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { Timers } from '../../net/timers.ts'
import { AgentError } from '../failure.ts'
import { type GrpcError, STATUS } from './spiffe/failure.ts'
import type { Place } from './spiffe/grpc.ts'
import { allOf, field, ProtobufError, readFields, soleOf, textOf } from './spiffe/protobuf.ts'

/** Where `spire-agent` listens unless it is told otherwise. */
export const DEFAULT_SPIFFE_SOCKET = 'unix:///run/spire/sockets/agent.sock'

/** Where the Workload API is, and how patient to be with it. */
export type SpiffeOptions = {
  /** As SPIFFE_ENDPOINT_SOCKET has it: `unix:///path`, or `tcp://address:port`. Default: SPIRE's own socket. */
  readonly socket?: string
  /** One of several identities of this process. Default: the first, which SPIFFE calls the default one. */
  readonly spiffeId?: string
  /** Milliseconds. Default: 5,000. */
  readonly timeoutMs?: number
  readonly timers?: Timers
}

/** For whom a JWT-SVID is. */
export type JwtSvidOptions = SpiffeOptions & {
  /** The `audience` of the broker's trust entry. */
  readonly audience: string
}

/** An X.509-SVID, as TLS wants it. */
export type X509Svid = {
  readonly spiffeId: string
  /** The chain, leaf first, PEM. */
  readonly cert: string
  /** The private key, PEM (PKCS #8). */
  readonly key: string
}

const TIMEOUT_MS = 5_000
/** Without it the endpoint refuses, so that a forged HTTP request cannot reach it (Workload Endpoint §3.2). */
const METADATA = { 'workload.spiffe.io': 'true' }

/** Field numbers of the Workload API's messages (workload.proto). */
const JWT_REQUEST = { audience: 1, spiffeId: 2 } as const
const JWT_SVID = { spiffeId: 1, svid: 2 } as const
const X509_SVID = { spiffeId: 1, certificates: 2, key: 3 } as const
const SVIDS = 1

const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const MAX_CHARACTERS = 16 * 1024
const MAX_CERTIFICATES = 8

/**
 * Makes the source of JWT-SVIDs. The agent keeps them, and gives the same one again while it is young.
 * @returns a source that rejects with AgentError `credential_unreadable`
 */
export function spiffe({ audience, ...options }: JwtSvidOptions): () => Promise<string> {
  const { spiffeId } = options
  const request = Buffer.concat([
    field(JWT_REQUEST.audience, audience),
    ...(spiffeId === undefined ? [] : [field(JWT_REQUEST.spiffeId, spiffeId)]),
  ])
  return async () => {
    const svids = await ask('FetchJWTSVID', request, options)
    const svid = chosen(svids, JWT_SVID.spiffeId, spiffeId)
    const token = understood(() => textOf(soleOf(svid, JWT_SVID.svid)))
    if (token.length <= MAX_CHARACTERS && JWT.test(token)) return token
    throw unreadable('did not answer with a JWT-SVID')
  }
}

/**
 * The X.509-SVID of this process, to open TLS connections with. It is short-lived: ask again for each connection, or
 * before it ends.
 * @throws AgentError `credential_unreadable`
 */
export async function x509Svid(options: SpiffeOptions = {}): Promise<X509Svid> {
  const svids = await ask('FetchX509SVID', Buffer.alloc(0), options)
  const svid = chosen(svids, X509_SVID.spiffeId, options.spiffeId)
  return understood(() => {
    const chain = certificatesOf(soleOf(svid, X509_SVID.certificates))
    const der = soleOf(svid, X509_SVID.key)
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    if (chain[0]?.checkPrivateKey(key) !== true) throw new ProtobufError('the key is another one')
    return {
      spiffeId: textOf(soleOf(svid, X509_SVID.spiffeId)),
      cert: chain.join(''),
      key: key.export({ format: 'pem', type: 'pkcs8' }).toString(),
    }
  })
}

type Fields = ReturnType<typeof readFields>

/** @returns the SVIDs of the answer; the message's other fields are bundles, which are nobody's matter here */
async function ask(
  method: string,
  message: Buffer,
  { socket = DEFAULT_SPIFFE_SOCKET, timeoutMs = TIMEOUT_MS, timers }: SpiffeOptions,
): Promise<readonly Fields[]> {
  const place = placeOf(socket)
  const { call } = await import('./spiffe/grpc.ts')
  const asked = {
    place,
    method: `/SpiffeWorkloadAPI/${method}`,
    metadata: METADATA,
    message,
    timeoutMs,
    ...(timers && { timers }),
  }
  const answer = await call(asked).catch((cause: GrpcError) => {
    throw unreadable(saidOf(cause, socket), cause)
  })
  return understood(() => allOf(readFields(answer), SVIDS).map(readFields))
}

function chosen(svids: readonly Fields[], number: number, spiffeId: string | undefined): Fields {
  const svid =
    spiffeId === undefined
      ? svids[0]
      : svids.find((fields) => soleOf(fields, number).toString('utf8') === spiffeId)
  if (svid !== undefined) return svid
  throw unreadable(`has no SVID ${spiffeId === undefined ? '' : `of ${spiffeId} `}for this process`)
}

/**
 * An endpoint in the two forms that there are (Workload Endpoint §4).
 * @throws AgentError for any other
 */
export function placeOf(socket: string): Place {
  const [, path] = /^unix:(?:\/\/)?(\/(?!\/)[^\s?#]+)$/.exec(socket) ?? []
  if (path !== undefined) return { path }
  const [, v6, v4, port] =
    /^tcp:\/\/(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]{1,5})$/i.exec(socket) ?? []
  const host = v6 ?? v4 ?? ''
  // A name would have to be resolved, and whoever answers for it would be believed.
  if (isIP(host) !== 0 && Number(port) > 0 && Number(port) < 65_536) {
    return { host, port: Number(port) }
  }
  const forms = 'unix:///path or tcp://address:port'
  throw new AgentError('credential_unreadable', `the SPIFFE endpoint is not ${forms}`, null)
}

function saidOf({ status, message }: GrpcError, socket: string): string {
  const said = message === '' ? '' : `: ${message}`
  switch (status) {
    case STATUS.permissionDenied:
      return `has no identity for this process: no registration entry matches it${said}`
    case STATUS.unavailable:
      return `cannot be reached at ${socket}${said}`
    case STATUS.deadlineExceeded:
      return `did not answer${said}`
    case null:
      return `did not answer as one${said}`
    default:
      return `refused with status ${status}${said}`
  }
}

/** Concatenated DER, without anything between (X.509-SVID profile of the Workload API, §5.2). */
function certificatesOf(bytes: Buffer): readonly X509Certificate[] {
  const found: X509Certificate[] = []
  for (let rest = bytes; rest.length > 0; ) {
    const length = elementLength(rest)
    if (length > rest.length) throw new ProtobufError('a certificate is cut off')
    found.push(new X509Certificate(rest.subarray(0, length)))
    if (found.length > MAX_CERTIFICATES) throw new ProtobufError('too many certificates')
    rest = rest.subarray(length)
  }
  return found
}

/** The whole length of a SEQUENCE whose length takes two bytes, as that of every certificate does (X.690 §8.1.3). */
function elementLength(bytes: Buffer): number {
  if (bytes.length < 4 || bytes[0] !== 0x30 || bytes[1] !== 0x82) {
    throw new ProtobufError('not a certificate')
  }
  return 4 + bytes.readUInt16BE(2)
}

function understood<Value>(read: () => Value): Value {
  try {
    return read()
  } catch (cause) {
    throw unreadable('did not answer with messages of the Workload API', cause)
  }
}

function unreadable(what: string, cause?: unknown): AgentError {
  const message = `the SPIFFE Workload API ${what}`
  return new AgentError('credential_unreadable', message, null, { cause })
}
