/** Discovery, keys, health, and what browsers need. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { metadata } from '../../src/http/metadata.ts'
import { ISSUER, startBroker } from '../world/broker.ts'

test('RFC 8414 §2 and MCP: the document has every field that clients demand, and only true ones', async (t) => {
  const { app } = await startBroker(t)
  const response = await app.inject('/.well-known/oauth-authorization-server')
  assert.match(String(response.headers['content-type']), /^application\/json/)
  assert.deepEqual(response.json(), {
    issuer: ISSUER,
    authorization_endpoint: `${ISSUER}/authorize`,
    token_endpoint: `${ISSUER}/token`,
    introspection_endpoint: `${ISSUER}/introspect`,
    introspection_endpoint_auth_methods_supported: ['private_key_jwt', 'Bearer', 'DPoP'],
    introspection_endpoint_auth_signing_alg_values_supported: ['RS256', 'ES256'],
    introspection_signing_alg_values_supported: ['ES256'],
    revocation_endpoint: `${ISSUER}/revoke`,
    revocation_endpoint_auth_methods_supported: ['private_key_jwt'],
    revocation_endpoint_auth_signing_alg_values_supported: ['RS256', 'ES256'],
    jwks_uri: `${ISSUER}/jwks`,
    challenge_endpoint: `${ISSUER}/challenge`,
    scopes_supported: ['trades:read', 'trades:write', 'trades:delete'],
    response_types_supported: ['code'],
    grant_types_supported: [
      'client_credentials',
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
      'urn:ietf:params:oauth:grant-type:token-exchange',
    ],
    token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['RS256', 'ES256'],
    dpop_signing_alg_values_supported: ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256', 'RS256'],
    code_challenge_methods_supported: ['S256'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  })
  const openid = await app.inject('/.well-known/openid-configuration')
  assert.deepEqual(openid.json(), response.json())
})

test('spiffe_jwt is published with a trust domain, and spiffe_x509 only where certificates are asked for', () => {
  const room = {
    issuer: ISSUER,
    scopes: [],
    assertionAlgorithms: [],
    publishedKeys: () => ({ keys: [] }),
    takesGrants: false,
    makesGrants: false,
  }
  const further = (spiffe: boolean, clientCertificates: boolean) => {
    const document = metadata({ ...room, spiffe, clientCertificates })
    return [document['token_endpoint_auth_methods_supported']].flat().slice(2)
  }
  assert.deepEqual(further(false, false), [])
  assert.deepEqual(further(false, true), [])
  assert.deepEqual(further(true, false), ['spiffe_jwt'])
  assert.deepEqual(further(true, true), ['spiffe_jwt', 'spiffe_x509'])
})

test('RFC 8414 §3.1: for an issuer with a path the document is inserted before and appended to it', async (t) => {
  const issuer = 'https://countersign.test/tenant/one'
  const world = await startBroker(t, { issuer })
  const urls = [
    '/.well-known/oauth-authorization-server/tenant/one',
    '/.well-known/openid-configuration/tenant/one',
    '/tenant/one/.well-known/openid-configuration',
  ]
  for (const url of urls) {
    const document = (await world.app.inject(url)).json()
    assert.equal(document.issuer, issuer)
    assert.equal(document.token_endpoint, `${issuer}/token`)
  }
  assert.equal((await world.app.inject('/tenant/one/jwks')).statusCode, 200)
  assert.equal((await world.ask(world.form())).status, 200)
  assert.equal((await world.app.inject('/.well-known/oauth-authorization-server')).statusCode, 404)
})

test('keys are public and cacheable', async (t) => {
  const { app } = await startBroker(t)
  const response = await app.inject('/jwks')
  assert.equal(response.headers['cache-control'], 'public, max-age=300')
  const { keys } = response.json<{ keys: Record<string, unknown>[] }>()
  assert.equal(keys.length, 1)
  assert.equal('d' in (keys[0] ?? {}), false)
})

test('a page of any origin may read metadata, keys and the token endpoint', async (t) => {
  const world = await startBroker(t)
  const origin = { origin: 'https://inspector.example' }
  for (const url of [
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/jwks',
  ]) {
    const response = await world.app.inject({ url, headers: origin })
    assert.equal(response.headers['access-control-allow-origin'], '*', url)
  }
  const preflight = await world.app.inject({
    method: 'OPTIONS',
    url: '/token',
    headers: { ...origin, 'access-control-request-method': 'POST' },
  })
  assert.equal(preflight.statusCode, 204)
  assert.equal(preflight.headers['access-control-allow-methods'], 'POST')
  assert.match(String(preflight.headers['access-control-allow-headers']), /\bdpop\b/)
  const refused = await world.ask('grant_type=x')
  assert.equal(refused.headers['access-control-allow-origin'], '*')
  assert.match(String(refused.headers['access-control-expose-headers']), /x-request-id/)
})

test('until there is a sign-in, the authorization endpoint says so to people', async (t) => {
  const { app } = await startBroker(t)
  const response = await app.inject('/authorize?client_id=x&redirect_uri=https://evil.example')
  assert.equal(response.statusCode, 400)
  assert.match(response.body, /no interactive sign-in/)
  assert.equal(response.headers['location'], undefined)
  assert.equal(response.body.includes('evil'), false)
})

test('live and ready are yes or no', async (t) => {
  const world = await startBroker(t)
  assert.equal((await world.app.inject('/livez')).body, 'yes\n')
  const ready = await world.app.inject('/readyz')
  assert.deepEqual([ready.statusCode, ready.body], [200, 'yes\n'])
})

test('a broker that has no keys of any issuer is live, not ready', async (t) => {
  const trust = { jwks: { url: 'http://127.0.0.1:1/keys', allowPrivate: true } }
  const { app } = await startBroker(t, { trust })
  assert.equal((await app.inject('/livez')).statusCode, 200)
  const ready = await app.inject('/readyz')
  assert.deepEqual([ready.statusCode, ready.body], [503, 'no\n'])
})

test('every answer has a request id of ours, never the caller’s', async (t) => {
  const { app } = await startBroker(t)
  const mine = { 'x-request-id': 'chosen-by-caller' }
  const requests = ['/livez', '/readyz', '/jwks', '/nothing', '/token', '/authorize']
  for (const url of requests) {
    const { headers } = await app.inject({ url, headers: mine })
    assert.match(String(headers['x-request-id']), /^[0-9a-f-]{36}$/, url)
  }
})

test('the token endpoint takes POST only', async (t) => {
  const { app } = await startBroker(t)
  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE'] as const) {
    const response = await app.inject({ method, url: '/token' })
    assert.equal(response.statusCode, 405, method)
    assert.equal(response.headers['allow'], 'POST')
  }
})
