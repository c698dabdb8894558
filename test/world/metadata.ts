/**
 * The metadata server of a Google machine. It answers nobody who does not name the flavor, nor who was forwarded, and
 * keeps a token for as long as it is good.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

/** What goes wrong with every answer. */
export type MetadataFault = 'flavor' | 'redirect' | 'error' | 'page' | 'huge'

export type Metadata = {
  /** `host:port`, as GCE_METADATA_HOST has it. */
  readonly host: string
  /** Paths and queries of the requests that came. */
  readonly requests: readonly string[]
  fault: MetadataFault | null
}

const ACCOUNTS = '/computeMetadata/v1/instance/service-accounts/'

/** @param mint makes the token of an audience; it is asked once for each */
export async function startMetadata(
  t: TestContext,
  mint: (audience: string) => string,
): Promise<Metadata> {
  const requests: string[] = []
  const kept = new Map<string, string>()
  const server = createServer((request, response) => {
    requests.push(request.url ?? '')
    const url = new URL(request.url ?? '', 'http://metadata.google.internal')
    const audience = url.searchParams.get('audience') ?? ''
    if (refuses(request)) response.writeHead(403).end()
    else if (metadata.fault !== null) fail(metadata.fault, response)
    else if (url.pathname !== `${ACCOUNTS}default/identity` || audience === '') {
      response.writeHead(404, { 'metadata-flavor': 'Google' }).end()
    } else {
      const token = kept.get(audience) ?? mint(audience)
      kept.set(audience, token)
      response.writeHead(200, { 'metadata-flavor': 'Google' }).end(token)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const metadata: Metadata = { host: `127.0.0.1:${port}`, requests, fault: null }
  return metadata
}

function refuses({ headers }: IncomingMessage): boolean {
  return headers['metadata-flavor'] !== 'Google' || headers['x-forwarded-for'] !== undefined
}

function fail(fault: MetadataFault, response: ServerResponse): void {
  const google = { 'metadata-flavor': 'Google' }
  if (fault === 'flavor') response.writeHead(200).end('e30.e30.AAAA')
  else if (fault === 'redirect') response.writeHead(302, { ...google, location: '/x' }).end()
  else if (fault === 'error') response.writeHead(503, google).end('e30.e30.AAAA')
  else if (fault === 'page') response.writeHead(200, google).end('<html>')
  else response.writeHead(200, google).end(`e30.e30.${'A'.repeat(20_000)}`)
}
