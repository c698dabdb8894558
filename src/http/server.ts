/** The two listeners, with every limit that keeps a hostile client from costing more than it should. */

import { constants, randomUUID } from 'node:crypto'
import { Server } from 'node:https'
import type { Socket } from 'node:net'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  LogController,
} from 'fastify'
import type { Broker } from '../broker.ts'
import type { Certificate } from '../certificate.ts'
import type { Access } from './access.ts'
import { adminRoutes } from './admin.ts'
import { MAX_FORWARDED_HEADER_BYTES } from './certificates.ts'
import { answerError } from './errors.ts'
import { countersign } from './plugin.ts'

const MAX_HEADER_BYTES = 16 * 1024
const MAX_CONNECTIONS = 8_192
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 15_000
/** How often Node looks for connections past those limits; its default of 30 s would make them 30 s. */
const CHECK_EVERY_MS = 1_000
const KEEP_ALIVE_TIMEOUT_MS = 65_000
const HANDSHAKE_TIMEOUT_MS = 10_000

/** How the public listener is reached. */
export type ListenerOptions = {
  readonly logger: FastifyBaseLogger
  /** CIDRs whose X-Forwarded-For is believed; the rightmost address that is not among them is the source. */
  readonly trustedProxies: readonly string[]
  /** Null for plain HTTP. */
  readonly tls: Certificate | null
  /** Of whom a certificate is asked. Left out: of nobody. */
  readonly asks?: Asks
  /** Whether proxies forward certificates in headers, which are long. Left out: none does. */
  readonly forwarded?: boolean
}

/**
 * Of whom a listener asks a certificate in the handshake. Of `anyone`: who shows none, or one that nobody signed, is
 * served all the same. Of `known` callers: one by the authority in `Certificate.ca`, or there is no connection.
 */
export type Asks = 'nobody' | 'anyone' | 'known'

/** How the admin listener is reached, and by whom. */
export type AdminOptions = {
  readonly logger: FastifyBaseLogger
  readonly tls: Certificate | null
  readonly access: Access
}

/** Builds the public server. It does not listen yet. */
export function publicServer(broker: Broker, options: ListenerOptions): FastifyInstance {
  const app = bare(options, broker.retired)
  app.register(countersign(broker))
  app.setNotFoundHandler((request, reply) =>
    answerError(reply.header('x-request-id', request.id), 404, {
      error: 'not_found',
      error_description: 'There is nothing at this path.',
      request_id: request.id,
    }),
  )
  return app
}

/** Builds the admin server: metrics and decisions. */
export function adminServer(broker: Broker, options: AdminOptions): FastifyInstance {
  const { logger, tls, access } = options
  const app = bare({ logger, trustedProxies: [], tls, asks: adminAsks(tls) }, broker.retired)
  adminRoutes(app, broker, access)
  return app
}

/** The admin listener asks where an authority is named for its callers. */
export function adminAsks(tls: Certificate | null): Asks {
  return tls === null || tls.ca === null ? 'nobody' : 'known'
}

/** Handshakes from now on use this certificate; open connections stay as they are. */
export function renewCertificate(app: FastifyInstance, certificate: Certificate, asks: Asks): void {
  if (app.server instanceof Server) app.server.setSecureContext(secured(certificate, asks))
}

/**
 * A caller that shows a certificate proves its key in each handshake: a resumed session would skip that. Of `anyone`
 * the request judges the certificate, so that here nobody does: no list of authorities, which is neither the system's
 * nor told to callers, who would keep back what is not on it.
 */
function secured({ cert, key, ca }: Certificate, asks: Asks) {
  const pair = { cert, key, minVersion: 'TLSv1.2' } as const
  if (asks === 'nobody') return pair
  return {
    ...pair,
    ca: asks === 'known' ? (ca ?? []) : [],
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}

function bare(
  { logger, trustedProxies, tls, asks = 'nobody', forwarded = false }: ListenerOptions,
  retired: () => boolean,
): FastifyInstance {
  const http = {
    maxHeaderSize: forwarded ? MAX_FORWARDED_HEADER_BYTES : MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_EVERY_MS,
  }
  const app = Fastify({
    loggerInstance: logger,
    // Lines name their request by themselves; a logger for each request would cost every one of them.
    childLoggerFactory: (parent) => parent,
    logController: new LogController({ disableRequestLogging: true }),
    // The caller's own id is never taken over: ours names the decision.
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    // Whoever had a connection before the end began is still answered; then it is told to close.
    return503OnClosing: false,
    clientErrorHandler: malformed,
    frameworkErrors: (_error, request, reply) => {
      refuseRequest(request.id, reply)
    },
    ...(tls === null
      ? { http }
      : {
          https: {
            ...http,
            ...secured(tls, asks),
            handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
            requestCert: asks !== 'nobody',
            rejectUnauthorized: asks === 'known',
          },
        }),
  }) as FastifyInstance
  app.server.maxConnections = MAX_CONNECTIONS
  drainConnections(app, retired)
  return app
}

/** Before the end each answer ends its connection: callers move on, and none is left idle when the listener closes. */
function drainConnections(app: FastifyInstance, retired: () => boolean): void {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing || retired()) reply.header('connection', 'close')
    done()
  })
}

/** A URL that the router cannot read never reaches a route, nor the hooks of one. */
function refuseRequest(id: string, reply: FastifyReply): void {
  answerError(reply.header('x-request-id', id), 400, {
    error: 'invalid_request',
    error_description: 'The URL of the request is malformed.',
    request_id: id,
  })
}

/** What Node's HTTP parser refuses never becomes a request; it still gets an answer of our form. */
function malformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const status = STATUS_BY_CODE[error.code ?? ''] ?? '400 Bad Request'
  const id = randomUUID()
  const body = JSON.stringify({
    error: 'invalid_request',
    error_description: 'The request is not valid HTTP or exceeds a limit.',
    request_id: id,
  })
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n` +
      `x-request-id: ${id}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n${body}`,
  )
}

const STATUS_BY_CODE: Readonly<Record<string, string | undefined>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}
