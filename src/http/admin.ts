/**
 * The admin listener: metrics and decisions. It is for people and tools on this machine: a request with an Origin
 * comes from a web page, and a foreign Host from a rebound name, so both are refused.
 */

import type { FastifyInstance } from 'fastify'
import type { Broker } from '../broker.ts'
import { answerError } from './errors.ts'

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]'])
const DECISION_ID = /^[0-9a-f-]{36}$/

/** Registers `/metrics` and `/decisions/{id}`. */
export function adminRoutes(app: FastifyInstance, broker: Broker): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id).header('cache-control', 'no-store')
    const host = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase()
    if (request.headers.origin !== undefined || !LOOPBACK_HOSTS.has(host)) {
      answerError(reply, 403, {
        error: 'access_denied',
        error_description: 'The admin listener answers local tools, not web pages.',
        request_id: request.id,
      })
    }
  })

  app.get('/metrics', async (_request, reply) => {
    const { type, text } = await broker.meter.expose()
    return reply.type(type).send(text)
  })

  app.get<{ Params: { id: string } }>('/decisions/:id', async (request, reply) => {
    const { id } = request.params
    const found = DECISION_ID.test(id) ? await broker.explainDecision(id) : null
    if (found !== null) return found
    return answerError(reply, 404, {
      error: 'not_found',
      error_description: 'No such decision is kept. Decisions are kept for audit.retention.',
      request_id: request.id,
    })
  })
}
