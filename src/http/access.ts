/**
 * Whom the admin listener answers. On a loopback address: whoever is on this machine. Elsewhere a caller shows
 * who it is, and each permission is a list of exact names: who may scrape metrics reads no decisions by it.
 */

import type { TLSSocket } from 'node:tls'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Permission } from '../config/admin.ts'
import { answerError } from './errors.ts'

/** The names of whoever sent a request: none when it shows nothing that holds. Rejects when that cannot be found out. */
export type Authenticator = (request: FastifyRequest) => Promise<readonly string[]>

/** Who may do what here. */
export type Access = {
  /** Host names that are answered beside loopback names and our own addresses. */
  readonly hosts: readonly string[]
  /** Null: nobody is asked. */
  readonly auth: {
    readonly authenticate: Authenticator
    readonly allow: Readonly<Record<Permission, readonly string[]>>
  } | null
}

/** The access of a loopback listener that asks nobody. */
export const LOCAL_ACCESS: Access = { hosts: [], auth: null }

const LOOPBACK_HOSTS = ['localhost', '127.0.0.1', '[::1]']

/**
 * A hook that lets nobody through who came by a foreign name (a rebound one), or from a web page.
 *
 * An address as Host must be the one that the connection came in at: a name can be rebound, an address cannot.
 */
export function refuseStrangers({ hosts }: Access) {
  const known = new Set([...LOOPBACK_HOSTS, ...hosts])
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const host = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase()
    const isOurs = known.has(host) || host === addressOf(request)
    if (isOurs && request.headers.origin === undefined) return
    return refuse(
      request,
      reply,
      403,
      'The admin listener answers tools that call it by its name, not web pages.',
    )
  }
}

function addressOf({ socket }: FastifyRequest): string | undefined {
  const address = socket.localAddress?.replace(/^::ffff:(?=\d+\.)/i, '').toLowerCase()
  return address?.includes(':') === true ? `[${address}]` : address
}

/** A hook that lets through only callers with a permission: 401 for nobody, 403 for the wrong one, 503 when unsure. */
export function demand({ auth }: Access, permission: Permission) {
  const allowed = new Set(auth?.allow[permission])
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    if (auth === null) return
    let caller: readonly string[]
    try {
      caller = await auth.authenticate(request)
    } catch (cause) {
      request.log.warn(
        { id: request.id, cause },
        'who calls the admin listener cannot be found out',
      )
      reply.header('retry-after', 5)
      return refuse(request, reply, 503, 'Who is calling cannot be found out at present.')
    }
    if (caller.length === 0) {
      reply.header('www-authenticate', 'Bearer')
      return refuse(request, reply, 401, 'The admin listener needs to know who is calling.')
    }
    if (caller.some((name) => allowed.has(name))) return
    request.log.info({ id: request.id, caller, permission }, 'refused on the admin listener')
    return refuse(request, reply, 403, 'This caller may not read this.')
  }
}

/**
 * Knows callers by the certificate of their connection, which the TLS handshake has verified: its alternative
 * names (RFC 5280 §4.2.1.6), as `DNS:…` and `URI:…`.
 *
 * @param now milliseconds since the epoch; a connection may outlive its certificate
 */
export function byCertificate(now: () => number): Authenticator {
  return async ({ socket }) => {
    const { authorized, getPeerX509Certificate } = socket as Partial<TLSSocket>
    const certificate = authorized === true ? getPeerX509Certificate?.call(socket) : undefined
    if (certificate === undefined || certificate.validToDate.getTime() <= now()) return []
    const names = certificate.subjectAltName ?? ''
    // Node quotes a name that holds a comma: it could pass for two.
    return names === '' || names.includes('"') ? [] : names.split(', ')
  }
}

function refuse(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  sentence: string,
): unknown {
  return answerError(reply, status, {
    error: status === 503 ? 'temporarily_unavailable' : 'access_denied',
    error_description: sentence,
    request_id: request.id,
  })
}
