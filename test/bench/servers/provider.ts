/**
 * oidc-provider, the peer on the same runtime, set to the same job: RS256 client authentication, client credentials,
 * an ES256 JWT for one resource. Its own in-memory adapter.
 */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'
import { serve } from '../serve.ts'

/** What the peer is started with. */
export type ProviderSettings = {
  readonly issuer: string
  readonly resource: string
  readonly scope: string
  readonly clientId: string
  /** The client's public key. */
  readonly clientJwk: object
  /** The key that signs access tokens. */
  readonly signingJwk: object
}

await serve<ProviderSettings>(async (settings) => {
  const { scope, resource } = settings
  const provider = new Provider(settings.issuer, {
    clients: [
      {
        client_id: settings.clientId,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'RS256',
        id_token_signed_response_alg: 'ES256',
        jwks: { keys: [settings.clientJwk] },
      },
    ],
    clientAuthMethods: ['private_key_jwt'],
    jwks: { keys: [settings.signingJwk] },
    cookies: { keys: ['bench'] },
    scopes: [scope],
    ttl: { ClientCredentials: 300 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: async () => ({
          scope,
          audience: resource,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  })
  const server = createServer(provider.callback())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, adminUrl: null }
})
