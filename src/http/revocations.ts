/** `GET /revocations`: the signed feed for resource servers. Whoever can reach us may read it: it holds hashes only. */

import type { FastifyInstance } from 'fastify'
import type { Feeds } from '../feed.ts'

/** Caches may hold the feed this long, which delays a revocation by as much. */
const MAX_AGE_SECONDS = 2

/** Registers the feed at a path. */
export function revocationsRoute(
  app: FastifyInstance,
  path: string,
  room: { readonly feed: Feeds['current'] },
): void {
  app.get(path, async (request, reply) => {
    const { jws, etag } = await room.feed()
    reply.header('cache-control', `public, max-age=${MAX_AGE_SECONDS}`).header('etag', etag)
    // RFC 9110 §13.1.2. Weak or not, ours is one opaque text.
    const known = request.headers['if-none-match']?.split(',').map((tag) => tag.trim())
    if (known?.some((tag) => tag.replace(/^W\//, '') === etag)) return reply.code(304).send()
    return reply.type('application/jwt').send(jws)
  })
}
