/**
 * The one door out: every HTTP request of our own passes here. It goes only to an origin that the caller
 * read from its configuration, only to an address that was checked, follows no redirect, knows no proxy,
 * and ends after five seconds or 256 KiB, whichever comes first.
 */

import { isUtf8 } from 'node:buffer'
import { lookup as resolve } from 'node:dns/promises'
import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { networkOf } from './addresses.ts'
import { systemTimers, type Timers } from './timers.ts'

/** Why a request got no answer. Closed, so that callers decide by code and never by text. */
export type DoorCode =
  | 'refused_origin'
  | 'refused_address'
  | 'timeout'
  | 'too_large'
  | 'redirect'
  | 'status'
  | 'media_type'
  | 'tls'
  | 'network'

/** A request that failed. The message is for the operator and holds nothing that the other side sent. */
export class DoorError extends Error {
  readonly code: DoorCode

  constructor(code: DoorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DoorError'
    this.code = code
  }
}

export type DoorRequest = {
  readonly url: string
  /**
   * Origins that the caller's configuration names (`https://host:port`). The URL's own must be among
   * them: a URL may come from a document, such as `jwks_uri`; this list never does.
   */
  readonly allow: readonly string[]
  /** Lets through loopback and private addresses, and `http` to a loopback literal. Never `special` ones. */
  readonly allowPrivate?: boolean
  /** Demands a JSON media type: `application/json` or `application/…+json`. */
  readonly json?: boolean
  /** Sent by POST as `application/json`; without it the request is a GET. */
  readonly body?: string
  /** The whole value of the Authorization header. */
  readonly authorization?: string
  /** PEM: trusted in place of the system's roots; our own certificate and key for mutual TLS. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** The name in the server's certificate, where it is not the host of the URL. */
  readonly serverName?: string | undefined
}

/** A 2xx answer, complete. */
export type DoorAnswer = { readonly body: string; readonly headers: IncomingHttpHeaders }

/** Sends one request. Rejects with DoorError and nothing else. */
export type Door = (request: DoorRequest) => Promise<DoorAnswer>

export type Address = { readonly address: string; readonly family: number }

export type DoorOptions = {
  /** Every address of a host name; default: the system's resolver. */
  readonly lookup?: (host: string) => Promise<readonly Address[]>
  readonly timers?: Timers
  readonly timeoutMs?: number
  readonly maxBytes?: number
}

/** A Kubernetes API server answers 406 to whoever does not name the type of its key sets (RFC 7517 §8.5). */
const ACCEPT = 'application/json, application/jwk-set+json'
const TIMEOUT_MS = 5_000
const MAX_BYTES = 256 * 1024

/** Opens the door. One for the whole process is enough: it holds no state and no connection. */
export function createDoor(options: DoorOptions = {}): Door {
  const timers = options.timers ?? systemTimers
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  const lookup = options.lookup ?? ((host) => resolve(host, { all: true }))
  const maxBytes = options.maxBytes ?? MAX_BYTES
  return async (request) => {
    const url = checkUrl(request)
    const { promise: late, reject } = Promise.withResolvers<never>()
    const abort = new AbortController()
    const cancel = timers.after(timeoutMs, () => {
      reject(new DoorError('timeout', `${url.origin} did not answer within ${timeoutMs} ms`))
      abort.abort()
    })
    try {
      const addresses = await Promise.race([checkedAddresses(url, request, lookup), late])
      return await Promise.race([send(url, request, addresses, maxBytes, abort.signal), late])
    } finally {
      cancel()
    }
  }
}

function checkUrl(request: DoorRequest): URL {
  const url = URL.parse(request.url)
  if (url === null) throw new DoorError('refused_origin', 'not a URL')
  if (!request.allow.includes(url.origin) || url.username !== '' || url.password !== '') {
    throw new DoorError('refused_origin', `${url.origin} is not in this entry's configuration`)
  }
  const local = request.allowPrivate === true && isLoopbackLiteral(hostOf(url))
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && local)) {
    const exception = 'http is for a loopback address with allowPrivate'
    throw new DoorError('refused_origin', `${url.origin} must be https; ${exception}`)
  }
  return url
}

function isLoopbackLiteral(host: string): boolean {
  return host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** The host without the brackets of an IPv6 literal. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1')
}

/**
 * Resolves once, and the connection is made to one of these addresses: a second resolution could be
 * answered differently (DNS rebinding). One bad address among good ones refuses the host.
 */
async function checkedAddresses(
  url: URL,
  request: DoorRequest,
  lookup: (host: string) => Promise<readonly Address[]>,
): Promise<readonly Address[]> {
  const host = hostOf(url)
  const family = isIP(host)
  const addresses =
    family !== 0
      ? [{ address: host, family }]
      : await lookup(host).catch((cause: unknown) => {
          throw new DoorError('network', `${host} does not resolve`, { cause })
        })
  if (addresses.length === 0) throw new DoorError('network', `${host} has no address`)
  for (const { address } of addresses) {
    const network = networkOf(address)
    if (network === 'special' || (network === 'private' && request.allowPrivate !== true)) {
      const hint = network === 'private' ? '; allowPrivate would let it through' : ''
      throw new DoorError('refused_address', `${host} is ${address}, a ${network} address${hint}`)
    }
  }
  return addresses
}

async function send(
  url: URL,
  request: DoorRequest,
  addresses: readonly Address[],
  maxBytes: number,
  signal: AbortSignal,
): Promise<DoorAnswer> {
  let outgoing: ClientRequest | undefined
  try {
    outgoing = openRequest(url, request, addresses, signal)
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    outgoing.on('response', resolve).on('error', reject).end(request.body)
    const response = await promise
    checkHead(url, response, request)
    return { body: await readBody(url, response, maxBytes), headers: response.headers }
  } catch (cause) {
    throw cause instanceof DoorError ? cause : failure(url, cause)
  } finally {
    // Nothing of a refused or finished answer is read on.
    outgoing?.destroy()
  }
}

function openRequest(
  url: URL,
  request: DoorRequest,
  addresses: readonly Address[],
  signal: AbortSignal,
): ClientRequest {
  const headers: Record<string, string> = {
    accept: ACCEPT,
    'accept-encoding': 'identity',
  }
  if (request.authorization !== undefined) headers['authorization'] = request.authorization
  if (request.body !== undefined) headers['content-type'] = 'application/json'
  const method = request.body === undefined ? 'GET' : 'POST'
  // An agent of its own: no proxy from the environment, no connection that others opened.
  // Said here, so that no environment variable can unsay it.
  const verified = { rejectUnauthorized: true }
  const common = { method, headers, signal, agent: false, lookup: pinned(addresses) }
  if (url.protocol === 'http:') return requestHttp(url, common)
  const { ca, cert, key, serverName } = request
  const name = serverName === undefined ? {} : { servername: serverName }
  return requestHttps(url, {
    ...common,
    ...name,
    ca,
    cert,
    key,
    minVersion: 'TLSv1.2',
    ...verified,
  })
}

function pinned(addresses: readonly Address[]): LookupFunction {
  return (_host, options, callback) => {
    const [first] = addresses
    if (options.all === true) callback(null, [...addresses])
    else callback(null, first?.address ?? '', first?.family)
  }
}

function checkHead(url: URL, response: IncomingMessage, request: DoorRequest): void {
  const status = response.statusCode ?? 0
  if (status >= 300 && status < 400) {
    throw new DoorError('redirect', `${url.origin} answered ${status}; redirects are not followed`)
  }
  if (status < 200 || status >= 300)
    throw new DoorError('status', `${url.origin} answered ${status}`)
  const encoding = response.headers['content-encoding'] ?? 'identity'
  const type = response.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const isJson = /^application\/(?:[a-z0-9.-]+\+)?json$/.test(type)
  if (encoding !== 'identity' || (request.json === true && !isJson)) {
    throw new DoorError('media_type', `${url.origin} answered with something other than plain JSON`)
  }
}

async function readBody(url: URL, response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) {
      throw new DoorError('too_large', `${url.origin} answered with more than ${maxBytes} bytes`)
    }
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks)
  if (!isUtf8(body)) throw new DoorError('media_type', `${url.origin} did not answer in UTF-8`)
  return body.toString('utf8')
}

/** OpenSSL's and Node's codes for certificates and handshakes. */
const TLS_CODE =
  /^(?:ERR_TLS|ERR_SSL|CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|EPROTO)/

function failure(url: URL, cause: unknown): DoorError {
  const code =
    cause instanceof Error && 'code' in cause && typeof cause.code === 'string'
      ? cause.code
      : 'unknown'
  if (TLS_CODE.test(code)) {
    return new DoorError('tls', `no trusted connection to ${url.origin}: ${code}`, { cause })
  }
  return new DoorError('network', `no complete answer from ${url.origin}: ${code}`, { cause })
}
