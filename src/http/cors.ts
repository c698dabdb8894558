/**
 * CORS for what browser-based MCP clients read: metadata, keys and the token endpoint. There are no cookies
 * here, so any origin may ask.
 */

import type { FastifyInstance, FastifyReply } from 'fastify'

/** Lets a page of any origin read this answer, its request id, and the nonce of the next proof. */
export function allowAnyOrigin(reply: FastifyReply): void {
  reply.header('access-control-allow-origin', '*')
  reply.header('access-control-expose-headers', 'x-request-id, retry-after, dpop-nonce')
}

/** Answers the preflight request (Fetch standard §3.3) of one path. */
export function preflight(app: FastifyInstance, path: string, methods: string): void {
  app.options(path, async (_request, reply) => {
    allowAnyOrigin(reply)
    return reply
      .code(204)
      .header('access-control-allow-methods', methods)
      .header('access-control-allow-headers', 'content-type, mcp-protocol-version, dpop')
      .header('access-control-max-age', '86400')
      .send()
  })
}
