/** The least that any answer costs here: Fastify, the same form, an answer of the same size, and no work at all. */

import Fastify from 'fastify'
import { serve } from '../serve.ts'

await serve<{ readonly bytes: number }>(async ({ bytes }) => {
  const app = Fastify()
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, body),
  )
  const answer = { access_token: 'x'.repeat(bytes), token_type: 'Bearer', expires_in: 300 }
  app.post('/token', async () => answer)
  return { url: await app.listen({ host: '127.0.0.1', port: 0 }), adminUrl: null }
})
