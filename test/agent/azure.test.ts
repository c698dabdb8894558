/** The agent's Azure source: the real SDK against an App Service identity endpoint that mints what Entra would. */

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { azure } from '../../src/agent/sources/azure.ts'
import { attest } from '../world/attest.ts'
import { setAzureStage } from '../world/azure.ts'

const HEADER = 'app-service-secret'

/** Serves a token to whoever knows the header, and tells the SDK so by the environment. */
async function endpoint(t: TestContext, mint: (resource: string) => string): Promise<string[]> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://identity')
    const resource = url.searchParams.get('resource') ?? ''
    asked.push(resource)
    if (request.headers['x-identity-header'] !== HEADER) {
      response.writeHead(400).end('{}')
      return
    }
    const expires = Math.floor(Date.now() / 1000) + 3600
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({
        access_token: mint(resource),
        expires_on: String(expires),
        resource,
        token_type: 'Bearer',
      }),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const before = { ...process.env }
  process.env['IDENTITY_ENDPOINT'] = `http://127.0.0.1:${port}/msi/token`
  process.env['IDENTITY_HEADER'] = HEADER
  t.after(() => {
    server.closeAllConnections()
    server.close()
    for (const name of ['IDENTITY_ENDPOINT', 'IDENTITY_HEADER']) {
      const value = before[name]
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
  return asked
}

test('a managed identity’s token is one that the attestor takes', async (t) => {
  const { issuer, attestor, clock } = await setAzureStage(t)
  const asked = await endpoint(t, () => issuer.mint())
  const token = await azure({ audience: attestor.audience })()
  assert.deepEqual(asked, [attestor.audience])
  const identity = await attest(attestor, token, clock)
  assert.equal(identity.kind, 'azure')
})

test('an identity that is not there is credential_unreadable', async (t) => {
  await endpoint(t, () => '')
  process.env['IDENTITY_HEADER'] = 'another'
  await assert.rejects(azure({ audience: 'api://nobody' })(), { code: 'credential_unreadable' })
})
