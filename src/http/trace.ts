/** Where the traces of token requests begin and end. Registered only on a broker that traces. */

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Traces } from '../traces.ts'

/** @param path of the token endpoint; nothing else is traced */
export function traceRequests(app: FastifyInstance, path: string, traces: Traces): void {
  const isToken = ({ method, routeOptions }: FastifyRequest) =>
    method === 'POST' && routeOptions.url === path
  app.addHook('onRequest', (request, _reply, done) => {
    const { traceparent } = request.headers
    if (isToken(request))
      traces.begin(request.id, typeof traceparent === 'string' ? traceparent : undefined)
    done()
  })
  // Also when the caller has gone away before the answer.
  app.addHook('onResponse', (request, reply, done) => {
    if (isToken(request)) traces.end(request.id, reply.statusCode)
    done()
  })
}
