import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { github } from '../../src/agent/sources/github.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** The ID token service as a runner names it: with a query of its own already in the URL. */
async function service(t: TestContext, answer: Answer) {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}/idtoken/run?api-version=2.0`
  return github({ url, requestToken: 'runner-secret', audience: 'https://as.example/ci' })
}

test('a job’s token is asked for with the runner’s bearer and our audience, each time anew', async (t) => {
  const asked: [string | undefined, string | undefined][] = []
  const source = await service(t, (request, response) => {
    asked.push([request.url, request.headers.authorization])
    response.end(JSON.stringify({ count: 1, value: `token-${asked.length}` }))
  })
  assert.deepEqual([await source(), await source()], ['token-1', 'token-2'])
  const url = '/idtoken/run?api-version=2.0&audience=https%3A%2F%2Fas.example%2Fci'
  assert.deepEqual(asked[0], [url, 'Bearer runner-secret'])
})

const FAULTS: readonly (readonly [string, Answer, RegExp])[] = [
  ['refuses', (_, response) => response.writeHead(403).end('{}'), /answered 403/],
  ['redirects', (_, response) => response.writeHead(302, { location: '/x' }).end(), /reached/],
  ['sends a page', (_, response) => response.end('<html>'), /cannot be reached/],
  ['sends no token', (_, response) => response.end('{"value":7}'), /did not answer with a token/],
]
for (const [what, answer, message] of FAULTS) {
  test(`a service that ${what} is credential_unreadable, without the runner’s secret`, async (t) => {
    const source = await service(t, answer)
    await assert.rejects(source(), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'credential_unreadable')
      assert.match(error.message, message)
      assert.ok(!error.message.includes('runner-secret'))
      return true
    })
  })
}
