/** Liveness and readiness: yes or no. Why not is for the admin listener and the log. */

import type { FastifyInstance } from 'fastify'

/** @param ready whether a valid request would be answered now */
export function healthRoutes(app: FastifyInstance, ready: () => boolean): void {
  app.get('/livez', async (_request, reply) =>
    reply.header('cache-control', 'no-store').send('yes\n'),
  )
  app.get('/readyz', async (_request, reply) => {
    const yes = ready()
    return reply
      .code(yes ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(yes ? 'yes\n' : 'no\n')
  })
}
