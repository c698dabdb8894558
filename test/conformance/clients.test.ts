/**
 * Unmodified clients that people use today get a token with a Kubernetes-shaped assertion, over real HTTP. What each
 * sends differs (`client_id` or none, trailing slashes, discovery documents); all of it must be understood.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auth } from '@modelcontextprotocol/sdk/client/auth.js'
import { StaticPrivateKeyJwtProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { agent } from '../../src/agent/index.ts'
import { InvalidToken, verifier } from '../../src/resource/index.ts'
import { RESOURCE, startBroker, WORKLOAD } from '../world/broker.ts'
import { listening } from '../world/listening.ts'

const JWT_BEARER_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const JWT_BEARER_ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

function assertToken(token: unknown): void {
  const claims = decodeJwt(String(token))
  assert.equal(claims.sub, WORKLOAD)
  assert.equal(claims.aud, RESOURCE)
  assert.equal(claims['scope'], 'trades:read')
}

for (const path of ['', '/tenant1']) {
  const where = path === '' ? 'an issuer without a path' : 'an issuer with a path'

  test(`MCP TypeScript SDK: StaticPrivateKeyJwtProvider, ${where}`, async (t) => {
    const world = await listening(t, startBroker, path)
    // What an MCP server would say of itself (RFC 9728): the SDK starts there.
    const metadata = { resource: RESOURCE, authorization_servers: [world.issuer] }
    const provider = new StaticPrivateKeyJwtProvider({
      jwtBearerAssertion: world.cluster.mint(),
      clientId: 'unused',
      expectedIssuer: world.issuer,
      scope: 'trades:read',
    })
    const fetchFn = (input: string | URL, init?: RequestInit) =>
      String(input).startsWith(RESOURCE)
        ? Promise.resolve(Response.json(metadata))
        : fetch(input, init)
    assert.equal(await auth(provider, { serverUrl: RESOURCE, fetchFn }), 'AUTHORIZED')
    assertToken(provider.tokens()?.access_token)
  })

  test(`openid-client: discovery and the jwt-bearer grant, ${where}`, async (t) => {
    const world = await listening(t, startBroker, path)
    const options = { execute: [openid.allowInsecureRequests] }
    const config = await openid.discovery(
      new URL(world.issuer),
      'agent',
      undefined,
      openid.None(),
      options,
    )
    const response = await openid.genericGrantRequest(config, JWT_BEARER_GRANT, {
      assertion: world.cluster.mint(),
      resource: RESOURCE,
      scope: 'trades:read',
    })
    assertToken(response.access_token)
  })

  test(`oauth4webapi: RFC 8414 discovery and client_credentials, ${where}`, async (t) => {
    const world = await listening(t, startBroker, path)
    const issuer = new URL(world.issuer)
    const insecure = { [oauth.allowInsecureRequests]: true }
    const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
    const server = await oauth.processDiscoveryResponse(issuer, found)
    const withAssertion: oauth.ClientAuth = (_server, _client, body) => {
      body.set('client_assertion_type', JWT_BEARER_ASSERTION)
      body.set('client_assertion', world.cluster.mint())
    }
    const client = { client_id: WORKLOAD }
    const response = await oauth.clientCredentialsGrantRequest(
      server,
      client,
      withAssertion,
      new URLSearchParams({ resource: RESOURCE, scope: 'trades:read' }),
      insecure,
    )
    const result = await oauth.processClientCredentialsResponse(server, client, response)
    assertToken(result.access_token)
  })
}

test('openid-client: client_credentials with the assertion of a custom ClientAuth', async (t) => {
  const world = await listening(t, startBroker)
  const withAssertion: openid.ClientAuth = (_server, _client, body) => {
    body.set('client_assertion_type', JWT_BEARER_ASSERTION)
    body.set('client_assertion', world.cluster.mint())
  }
  const options = { execute: [openid.allowInsecureRequests] }
  const config = await openid.discovery(
    new URL(world.issuer),
    WORKLOAD,
    undefined,
    withAssertion,
    options,
  )
  const response = await openid.clientCredentialsGrant(config, {
    resource: RESOURCE,
    scope: 'trades:read',
  })
  assertToken(response.access_token)
})

test('oauth4webapi understands a refusal', async (t) => {
  const world = await listening(t, startBroker)
  const server = { issuer: world.issuer, token_endpoint: `${world.issuer}/token` }
  const client = { client_id: 'x' }
  const response = await oauth.genericTokenEndpointRequest(
    server,
    client,
    oauth.None(),
    JWT_BEARER_GRANT,
    { assertion: world.cluster.mint(), resource: RESOURCE, scope: 'trades:delete' },
    { [oauth.allowInsecureRequests]: true },
  )
  await assert.rejects(oauth.processGenericTokenEndpointResponse(server, client, response), {
    error: 'invalid_scope',
    status: 400,
  })
})

test('our agent and our verifier: a token, kept while it lasts, renewed before it ends', async (t) => {
  const world = await listening(t, startBroker)
  let reads = 0
  const asking = agent({
    issuer: world.issuer,
    resource: RESOURCE,
    scopes: ['trades:read'],
    now: () => world.clock.now(),
    source: async () => {
      reads += 1
      return world.cluster.mint()
    },
  })
  const [first, second] = await Promise.all([asking.token(), asking.token()])
  assert.equal(first, second)
  assert.equal(reads, 1)
  world.clock.advance(239)
  assert.equal(await asking.token(), first)
  world.clock.advance(2)
  assert.notEqual(await asking.token(), first)
  assert.equal(reads, 2)

  const verify = verifier({
    issuer: world.issuer,
    audience: RESOURCE,
    now: () => world.clock.now(),
  })
  const verified = await verify(await asking.token())
  assert.equal(verified.subject, WORKLOAD)
  assert.deepEqual(verified.scopes, ['trades:read'])
  const elsewhere = verifier({ issuer: world.issuer, audience: 'https://other.example' })
  await assert.rejects(elsewhere(first), InvalidToken)
  await assert.rejects(verify(`${first.slice(0, -4)}AAAA`), InvalidToken)
  world.clock.advance(301)
  await assert.rejects(verify(first), InvalidToken)
})

test('our agent: fetch carries the token, and gets a new one after a 401, once', async (t) => {
  const world = await listening(t, startBroker)
  const seen: string[] = []
  const http: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    if (!request.url.startsWith(RESOURCE)) return fetch(input, init)
    seen.push(request.headers.get('authorization') ?? '')
    return new Response(null, { status: seen.length === 1 ? 401 : 200 })
  }
  const asking = agent({
    issuer: world.issuer,
    resource: RESOURCE,
    scopes: ['trades:read'],
    source: async () => world.cluster.mint(),
    now: () => world.clock.now(),
    fetch: http,
  })
  assert.equal((await asking.fetch(`${RESOURCE}/tools`, { method: 'POST', body: 'x' })).status, 200)
  assert.equal(seen.length, 2)
  assert.match(seen[0] ?? '', /^Bearer eyJ/)
  assert.notEqual(seen[0], seen[1])
})

test('our agent shows its token to the resource and to nobody else', async () => {
  const options = { issuer: 'https://a.example', source: async () => 'x' }
  const never: typeof fetch = () => assert.fail('nothing is sent')
  const asking = agent({ ...options, resource: 'https://mcp.example.com/v1', fetch: never })
  for (const url of [
    'https://evil.example/v1',
    'http://mcp.example.com/v1',
    'https://mcp.example.com:444/v1',
    'https://mcp.example.com/v10',
    'https://mcp.example.com/v1/../admin',
    'https://mcp.example.com@evil.example/v1',
  ]) {
    await assert.rejects(
      asking.fetch(url),
      (error: Error & { code?: string }) =>
        error.code === 'foreign_url' || error instanceof TypeError,
      url,
    )
  }
})

test('our verifier tells a bad token from keys that cannot be had', async (t) => {
  const world = await listening(t, startBroker)
  const token = String((await world.ask(world.form())).body['access_token'])
  const options = { issuer: world.issuer, audience: RESOURCE, now: () => world.clock.now() }
  for (const answer of [
    () => new Response('{}', { status: 503 }),
    () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
    () => Response.json({ keys: 'none' }),
  ]) {
    const verify = verifier({ ...options, fetch: async () => answer() })
    await assert.rejects(verify(token), (error) => !(error instanceof InvalidToken))
  }
  const strangers = verifier({ ...options, fetch: async () => Response.json({ keys: [] }) })
  await assert.rejects(strangers(token), InvalidToken)
})

test('our agent says what the broker said, with the request id for its operator', async (t) => {
  const world = await listening(t, startBroker)
  const options = {
    issuer: world.issuer,
    resource: RESOURCE,
    source: async () => world.cluster.mint(),
  }
  await assert.rejects(
    agent({ ...options, scopes: ['trades:delete'] }).token(),
    (error: Error & { code: string; requestId: string }) => {
      assert.equal(error.code, 'invalid_scope')
      assert.equal(error.requestId, world.events()[0]?.id)
      return true
    },
  )
  await assert.rejects(agent({ ...options, issuer: 'http://127.0.0.1:1' }).token(), {
    code: 'broker_unreachable',
  })
  await assert.rejects(agent({ ...options, issuer: `${world.issuer}/other` }).token())
})

test('our agent trusts no metadata that names another issuer, or a token endpoint elsewhere', async () => {
  const answering =
    (document: object): typeof fetch =>
    async () =>
      Response.json(document)
  const options = { issuer: 'https://a.example', resource: RESOURCE, source: async () => 'x' }
  for (const document of [
    { issuer: 'https://b.example', token_endpoint: 'https://a.example/token' },
    { issuer: 'https://a.example', token_endpoint: 'https://evil.example/token' },
    { issuer: 'https://a.example' },
  ]) {
    await assert.rejects(agent({ ...options, fetch: answering(document) }).token(), {
      code: 'issuer_mismatched',
    })
  }
})
