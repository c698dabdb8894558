/**
 * How one outgoing request is judged and opened: its origin, its addresses, its TLS, the head of its answer.
 * Only the door (`fetch.ts`) calls this; whoever else needs an answer asks the door.
 */

import { lookup as resolve } from 'node:dns/promises'
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import type { PeerCertificate } from 'node:tls'
import { networkOf } from './addresses.ts'
import { svidFault } from './svid.ts'

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
  /** The status of the answer, where it is what failed (`status`, `redirect`); otherwise null. */
  readonly status: number | null
  /**
   * Where a redirect points, unverified and absolute; otherwise null. Only for a caller whose configuration names that
   * origin too, and who asks there anew.
   */
  readonly location: string | null

  constructor(
    code: DoorCode,
    message: string,
    options: ErrorOptions & { readonly status?: number; readonly location?: string | null } = {},
  ) {
    super(message, options)
    this.name = 'DoorError'
    this.code = code
    this.status = options.status ?? null
    this.location = options.location ?? null
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
  /** The Accept header; default: JSON and JWK sets. */
  readonly accept?: string
  /** Demands a JSON media type: `application/json` or `application/…+json`. */
  readonly json?: boolean
  /** Sent by POST; without it the request is a GET. */
  readonly body?: string
  /** The Content-Type of `body`; default: `application/json`. */
  readonly bodyType?: string
  /** Further headers, their names in lower case; those that the door sets itself are not among them. */
  readonly headers?: Readonly<Record<string, string>>
  /** The whole value of the Authorization header. */
  readonly authorization?: string
  /** PEM: trusted in place of the system's roots; our own certificate and key for mutual TLS. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** The name in the server's certificate, where it is not the host of the URL. */
  readonly serverName?: string | undefined
  /**
   * The SPIFFE ID that the server's certificate must be for, in place of any host name. `ca` is then required: the
   * roots of its trust domain.
   */
  readonly spiffeId?: string
  /** How long this request may take, and how large its answer may be, where the door's own limits do not fit. */
  readonly timeoutMs?: number
  readonly maxBytes?: number
}

export type Address = { readonly address: string; readonly family: number }

/** An answer whose body is still to come, and what ends its connection. */
export type Dialled = { readonly response: IncomingMessage; readonly close: () => void }

/** Every address of a host name. */
export type Lookup = (host: string) => Promise<readonly Address[]>

/** The system's resolver. */
export const systemLookup: Lookup = (host) => resolve(host, { all: true })

/** A Kubernetes API server answers 406 to whoever does not name the type of its key sets (RFC 7517 §8.5). */
const ACCEPT = 'application/json, application/jwk-set+json'

/**
 * Judges where a request goes, before anything is resolved.
 * @throws DoorError `refused_origin`
 */
export function checkUrl(request: DoorRequest): URL {
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
  if (request.spiffeId !== undefined && (url.protocol !== 'https:' || !request.ca)) {
    // Without roots of its own, every web authority could vouch for every SPIFFE ID.
    throw new DoorError(
      'refused_origin',
      `${url.origin} needs https and roots to prove a SPIFFE ID`,
    )
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
 * @throws DoorError `network`, `refused_address`
 */
export async function checkedAddresses(
  url: URL,
  request: DoorRequest,
  lookup: Lookup,
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

/**
 * Opens a connection of its own to one of the checked addresses and sends the request. What comes back has a
 * head that was judged, and a body that nobody has read; whoever got it closes it.
 * @throws DoorError `redirect`, `status`, `media_type`; or what `failure` makes a DoorError of
 */
export async function dial(
  url: URL,
  request: DoorRequest,
  addresses: readonly Address[],
  signal: AbortSignal,
): Promise<Dialled> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const outgoing = openRequest(url, request, addresses, signal)
  outgoing.on('response', resolve).on('error', reject).end(request.body)
  const response = await promise
  const close = () => void outgoing.destroy()
  try {
    checkHead(url, response, request)
  } catch (cause) {
    close()
    throw cause
  }
  return { response, close }
}

function openRequest(
  url: URL,
  request: DoorRequest,
  addresses: readonly Address[],
  signal: AbortSignal,
): ClientRequest {
  const headers: Record<string, string> = {
    ...request.headers,
    accept: request.accept ?? ACCEPT,
    'accept-encoding': 'identity',
  }
  if (request.authorization !== undefined) headers['authorization'] = request.authorization
  if (request.body !== undefined) headers['content-type'] = request.bodyType ?? 'application/json'
  const method = request.body === undefined ? 'GET' : 'POST'
  // An agent of its own: no proxy from the environment, no connection that others opened, and no TLS session
  // to resume, which would leave the certificate unread (SPIRE #6715).
  // Said here, so that no environment variable can unsay it.
  const verified = { rejectUnauthorized: true }
  const common = { method, headers, signal, agent: false, lookup: pinned(addresses) }
  if (url.protocol === 'http:') return requestHttp(url, common)
  const { ca, cert, key, serverName, spiffeId } = request
  const name = serverName === undefined ? {} : { servername: serverName }
  const identity =
    spiffeId === undefined ? {} : { checkServerIdentity: spiffeIdentity(url, spiffeId) }
  return requestHttps(url, {
    ...common,
    ...name,
    ...identity,
    ca,
    cert,
    key,
    minVersion: 'TLSv1.2',
    ...verified,
  })
}

/** The check that stands in for the comparison of host names; Node runs it once the chain has been verified. */
function spiffeIdentity(url: URL, expected: string) {
  return (_host: string, certificate: PeerCertificate): Error | undefined => {
    const fault = svidFault(certificate, expected)
    if (fault === null) return undefined
    return new DoorError('tls', `${url.origin} is not ${expected}: its certificate ${fault}`)
  }
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
    const message = `${url.origin} answered ${status}; redirects are not followed`
    const location = URL.parse(response.headers.location ?? '', url)?.href ?? null
    throw new DoorError('redirect', message, { status, location })
  }
  if (status < 200 || status >= 300) {
    throw new DoorError('status', `${url.origin} answered ${status}`, { status })
  }
  const encoding = response.headers['content-encoding'] ?? 'identity'
  const type = response.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const isJson = /^application\/(?:[a-z0-9.-]+\+)?json$/.test(type)
  if (encoding !== 'identity' || (request.json === true && !isJson)) {
    throw new DoorError('media_type', `${url.origin} answered with something other than plain JSON`)
  }
}

/** OpenSSL's and Node's codes for certificates and handshakes. */
const TLS_CODE =
  /^(?:ERR_TLS|ERR_SSL|CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|EPROTO)/

/** What went wrong, by its code alone: nothing that the other side sent. */
export function failure(url: URL, cause: unknown): DoorError {
  if (cause instanceof DoorError) return cause
  const code =
    cause instanceof Error && 'code' in cause && typeof cause.code === 'string'
      ? cause.code
      : 'unknown'
  if (TLS_CODE.test(code)) {
    return new DoorError('tls', `no trusted connection to ${url.origin}: ${code}`, { cause })
  }
  return new DoorError('network', `no complete answer from ${url.origin}: ${code}`, { cause })
}
