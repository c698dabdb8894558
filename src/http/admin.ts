/**
 * The admin listener: metrics and decisions. It is for people and tools, not for web pages, and on anything but a
 * loopback address only for those whom `admin.auth` names.
 */

import type { FastifyInstance } from 'fastify'
import type { Broker } from '../broker.ts'
import { REASONS, Refusal } from '../refusal.ts'
import { type Access, demand, refuseStrangers } from './access.ts'
import { answerError } from './errors.ts'

const DECISION_ID = /^[0-9a-f-]{36}$/

/** Registers `/metrics` and `/decisions/{id}`, each for those who have its permission. */
export function adminRoutes(app: FastifyInstance, broker: Broker, access: Access): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id).header('cache-control', 'no-store')
  })
  app.addHook('onRequest', refuseStrangers(access))

  app.get('/metrics', { onRequest: demand(access, 'metrics') }, async (_request, reply) => {
    const { type, text } = await broker.meter.expose()
    return reply.type(type).send(text)
  })

  app.get<{ Params: { id: string } }>(
    '/decisions/:id',
    { onRequest: demand(access, 'decisions') },
    async (request, reply) => {
      const { id } = request.params
      const found = DECISION_ID.test(id)
        ? await broker.explainDecision(id).catch(unavailable)
        : null
      if (found === 'unavailable') {
        return answerError(reply, 503, {
          error: 'temporarily_unavailable',
          error_description: REASONS.store_unavailable.sentence,
          request_id: request.id,
        })
      }
      if (found !== null) return found
      return answerError(reply, 404, {
        error: 'not_found',
        error_description: 'No such decision is kept. Decisions are kept for audit.retention.',
        request_id: request.id,
      })
    },
  )
}

/** A store that does not answer knows nothing about a decision, not even that it is unknown. */
function unavailable(error: unknown): 'unavailable' {
  if (error instanceof Refusal && error.reason === 'store_unavailable') return 'unavailable'
  throw error
}
