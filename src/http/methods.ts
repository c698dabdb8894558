/** What an endpoint answers to a method that it does not take. */

import type { FastifyInstance } from 'fastify'
import { answerError } from './errors.ts'

/**
 * Answers 405 to every other method at the path of an endpoint that takes POST.
 * @param name of the endpoint, to complete "The … endpoint takes POST."
 */
export function postOnly(app: FastifyInstance, path: string, name: string): void {
  app.route({
    method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'],
    url: path,
    handler: async (request, reply) => {
      reply.header('allow', 'POST')
      return answerError(reply, 405, {
        error: 'invalid_request',
        error_description: `The ${name} endpoint takes POST.`,
        request_id: request.id,
      })
    },
  })
}
