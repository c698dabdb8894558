/** What an API server says about the tokens of its own cluster: issuer and keys, to whoever has logged in. */

import { API_TOKEN, type FakeApiServer } from './apiserver.ts'
import type { FakeCluster } from './cluster.ts'

export type Trust = {
  /** The discovery document; null is 404. */
  document: Record<string, unknown> | null
  /** Whether keys may be read. */
  keys: boolean
}

/** Lets the API server answer for the keys of `cluster`. A test may change what comes back. */
export function serveTrust(server: FakeApiServer, cluster: FakeCluster): Trust {
  const trust: Trust = { document: { issuer: cluster.issuer }, keys: true }
  server.intercept = ({ url, headers }, response) => {
    const isKeys = url === '/openid/v1/jwks'
    if (!isKeys && url !== '/.well-known/openid-configuration') return false
    const isKnown = headers.authorization === `Bearer ${API_TOKEN}`
    const body = isKeys ? { keys: cluster.signers.map(({ jwk }) => jwk) } : trust.document
    const code = !isKnown ? 401 : isKeys && !trust.keys ? 403 : body === null ? 404 : 200
    const type = isKeys ? 'application/jwk-set+json' : 'application/json'
    response.writeHead(code, { 'content-type': type }).end(JSON.stringify(body ?? {}))
    return true
  }
  return trust
}
