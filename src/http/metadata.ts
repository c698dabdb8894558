/**
 * Discovery (RFC 8414, OpenID Connect Discovery 1.0) and our keys. One document at both well-known names, with
 * every field that MCP clients demand; nothing optional is published before it works.
 */

import type { FastifyInstance } from 'fastify'
import type { JWK } from 'jose'
import { PROOF_ALGORITHMS } from '../dpop.ts'
import { ID_JAG } from '../subjects.ts'
import { pathOf } from '../uri.ts'
import { allowAnyOrigin, preflight } from './cors.ts'
import { TOKEN_EXCHANGE_GRANT } from './delegation.ts'
import { CLIENT_CREDENTIALS_GRANT, JWT_BEARER_GRANT } from './token.ts'

/** What discovery says about this broker. */
export type MetadataRoom = {
  readonly issuer: string
  readonly scopes: readonly string[]
  /** Signature algorithms accepted on assertions, over all trust entries. */
  readonly assertionAlgorithms: readonly string[]
  /** Whether a SPIFFE trust domain is configured, whose workloads authenticate by their SVIDs. */
  readonly spiffe: boolean
  /** Whether the listener asks callers for certificates, so that they can show an X.509-SVID. Left out: no. */
  readonly clientCertificates?: boolean
  /** Whether tokens are bound to certificates (RFC 8705 §3.3), which proxies may forward too. Left out: no. */
  readonly bindsCertificates?: boolean
  /** Whether some provider's ID-JAGs are taken. Whose, is nobody's matter. */
  readonly takesGrants: boolean
  /** Whether ID-JAGs for other authorization servers are made here. For which, is nobody's matter. */
  readonly makesGrants: boolean
  readonly publishedKeys: () => { readonly keys: readonly JWK[] }
}

const ID_JAG_PROFILE = 'urn:ietf:params:oauth:grant-profile:id-jag'

const WELL_KNOWN = ['oauth-authorization-server', 'openid-configuration']

/** Caches may keep keys this long; far less than a new key is published before it signs. */
const KEYS_MAX_AGE_SECONDS = 300

/**
 * Registers the metadata documents and `/jwks`.
 *
 * @param app the scope of the server's root: for an issuer with a path, the document is inserted before the path
 *   (RFC 8414 §3.1) and also appended to it (OpenID Connect Discovery §4.1)
 */
export function metadataRoutes(app: FastifyInstance, room: MetadataRoom): void {
  const path = pathOf(room.issuer)
  const document = metadata(room)
  for (const name of WELL_KNOWN) {
    for (const url of new Set([`/.well-known/${name}${path}`, `${path}/.well-known/${name}`])) {
      preflight(app, url, 'GET')
      app.get(url, async (_request, reply) => {
        allowAnyOrigin(reply)
        reply.header('cache-control', `public, max-age=${KEYS_MAX_AGE_SECONDS}`)
        return document
      })
    }
  }
  preflight(app, `${path}/jwks`, 'GET')
  app.get(`${path}/jwks`, async (_request, reply) => {
    allowAnyOrigin(reply)
    reply.header('cache-control', `public, max-age=${KEYS_MAX_AGE_SECONDS}`)
    return room.publishedKeys()
  })
  app.get(`${path}/authorize`, async (_request, reply) =>
    reply.code(400).type('text/html; charset=utf-8').send(AUTHORIZE_PAGE),
  )
}

/** The document of RFC 8414 §2. */
export function metadata(room: MetadataRoom): Record<string, true | string | readonly string[]> {
  return {
    issuer: room.issuer,
    authorization_endpoint: `${room.issuer}/authorize`,
    token_endpoint: `${room.issuer}/token`,
    introspection_endpoint: `${room.issuer}/introspect`,
    introspection_endpoint_auth_methods_supported: [
      'private_key_jwt',
      ...(room.spiffe ? ['spiffe_jwt'] : []),
      'Bearer',
      'DPoP',
    ],
    introspection_endpoint_auth_signing_alg_values_supported: room.assertionAlgorithms,
    introspection_signing_alg_values_supported: ['ES256'],
    revocation_endpoint: `${room.issuer}/revoke`,
    revocation_endpoint_auth_methods_supported: ['private_key_jwt'],
    revocation_endpoint_auth_signing_alg_values_supported: room.assertionAlgorithms,
    jwks_uri: `${room.issuer}/jwks`,
    challenge_endpoint: `${room.issuer}/challenge`,
    scopes_supported: room.scopes,
    response_types_supported: ['code'],
    grant_types_supported: [CLIENT_CREDENTIALS_GRANT, JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT],
    token_endpoint_auth_methods_supported: authMethods(room),
    ...(room.bindsCertificates && { tls_client_certificate_bound_access_tokens: true }),
    token_endpoint_auth_signing_alg_values_supported: room.assertionAlgorithms,
    dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
    code_challenge_methods_supported: ['S256'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    // draft-ietf-oauth-identity-assertion-authz-grant §7
    ...(room.takesGrants && { authorization_grant_profiles_supported: [ID_JAG_PROFILE] }),
    // draft-ietf-oauth-identity-chaining §3
    ...(room.makesGrants && { identity_chaining_requested_token_types_supported: [ID_JAG] }),
  }
}

/** The names of draft-ietf-oauth-spiffe-client-auth §3 beside those of RFC 8414 and OpenID Connect. */
function authMethods({ spiffe, clientCertificates = false }: MetadataRoom): readonly string[] {
  return [
    'none',
    'private_key_jwt',
    ...(spiffe ? ['spiffe_jwt'] : []),
    ...(spiffe && clientCertificates ? ['spiffe_x509'] : []),
  ]
}

// MCP clients refuse metadata without an authorization endpoint, even where no grant uses one.
const AUTHORIZE_PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Countersign</title>
<p>This server issues tokens to workloads at its token endpoint. It has no interactive sign-in.</p></html>
`
