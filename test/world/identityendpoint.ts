/**
 * The identity endpoint of App Service, where the Azure SDK finds a managed identity. The SDK remembers for a whole process
 * where that was, so a process has one, which each test answers for in its turn.
 */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { setEnvironment } from './environment.ts'

/** Makes the token of a resource; null where the identity gets none. */
export type Mint = (resource: string) => string | null

const HEADER = 'identity-header-of-the-tests'
/** So little that the SDK does not keep the token. */
const LIFETIME_SECONDS = 200

const endpoint: { mint: Mint; origin: Promise<string> | null } = { mint: () => null, origin: null }

/**
 * Lets the SDK find the endpoint until the test ends.
 * @returns the resources for which it was asked
 */
export async function identityEndpoint(t: TestContext, mint: Mint): Promise<readonly string[]> {
  const asked: string[] = []
  endpoint.origin ??= listen()
  endpoint.mint = (resource) => {
    asked.push(resource)
    return mint(resource)
  }
  setEnvironment(t, {
    IDENTITY_ENDPOINT: `${await endpoint.origin}/msi/token`,
    IDENTITY_HEADER: HEADER,
    AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential',
  })
  return asked
}

function listen(): Promise<string> {
  const server = createServer(({ url = '', headers }, response) => {
    const resource = new URL(url, 'http://identity').searchParams.get('resource') ?? ''
    const token = headers['x-identity-header'] === HEADER ? endpoint.mint(resource) : null
    response.setHeader('connection', 'close')
    if (token === null) {
      response.writeHead(400).end('{}')
      return
    }
    const expires_on = String(Math.floor(Date.now() / 1000) + LIFETIME_SECONDS)
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({ access_token: token, expires_on, resource, token_type: 'Bearer' }),
    )
  })
  // The process ends with its tests, whoever still listens.
  server.unref()
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    })
  })
}
