/** The public routes as one Fastify plugin, so that they can also be mounted in someone's own server. */

import type { FastifyInstance } from 'fastify'
import type { Broker } from '../broker.ts'
import { pathOf } from '../uri.ts'
import { challengeRoute } from './challenge.ts'
import { preflight } from './cors.ts'
import { type CountsRefusals, errorHandler } from './errors.ts'
import { healthRoutes } from './health.ts'
import { introspectRoute } from './introspect.ts'
import { metadataRoutes } from './metadata.ts'
import { revocationsRoute } from './revocations.ts'
import { revokeRoute } from './revoke.ts'
import { parseFormBody, tokenRoute } from './token.ts'
import { traceRequests } from './trace.ts'

/**
 * A Fastify plugin with every public endpoint of a broker. Mount it at the root of the server that answers for the
 * issuer's host; endpoints hang below the issuer's path.
 *
 * The host server decides its own limits and `trustProxy`; the source address of policies is `request.ip`.
 */
export function countersign(broker: Broker) {
  return async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string' },
      parseFormBody,
    )
    const { meter, traces } = broker
    const counts: CountsRefusals = {
      refused(reason, id) {
        meter.refused(reason)
        traces?.of(id)?.refuse(reason)
      },
    }
    app.setErrorHandler(errorHandler(counts))
    app.addHook('onRequest', (request, reply, done) => {
      // Ours, whatever the host numbers its requests with: it is the decision id and the token's jti.
      request.id = broker.newId()
      reply.header('x-request-id', request.id)
      done()
    })
    healthRoutes(app, broker.ready)
    metadataRoutes(app, broker.metadata)
    const root = pathOf(broker.metadata.issuer)
    const token = `${root}/token`
    const challenge = `${root}/challenge`
    for (const path of [token, challenge]) preflight(app, path, 'POST')
    if (traces !== null) traceRequests(app, token, traces)
    tokenRoute(app, token, { ...broker, endpoint: `${broker.metadata.issuer}/token` })
    challengeRoute(app, challenge, broker)
    // What is said of tokens is said to workloads: no page of a browser reads it, nor why it is refused.
    app.register((inner, _options, done) => {
      inner.setErrorHandler(errorHandler(counts, false))
      const { issuer } = broker.metadata
      const endpoint = (name: string) => ({ ...broker, endpoint: `${issuer}/${name}` })
      introspectRoute(inner, `${root}/introspect`, endpoint('introspect'))
      revokeRoute(inner, `${root}/revoke`, endpoint('revoke'))
      revocationsRoute(inner, `${root}/revocations`, broker)
      done()
    })
  }
}
