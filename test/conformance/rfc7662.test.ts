/** RFC 7662: OAuth 2.0 Token Introspection. Titles begin with the section and a number; see `manifest/rfc7662.ts`. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { freePorts } from '../../src/cli/ports.ts'
import { nameOf } from '../../src/lineage.ts'
import { introspector } from '../../src/resource/introspect.ts'
import { RESOURCE } from '../world/broker.ts'
import { HOLDER, SEALED, SERVER, startIntrospecting } from '../world/introspection.ts'

const INACTIVE = '{"active":false}'
const AUDIENCES = [RESOURCE, SEALED]
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

async function listening(t: TestContext) {
  const [port = 0] = await freePorts(1)
  const stage = await startIntrospecting(t, { issuer: `http://127.0.0.1:${port}` })
  await stage.world.app.listen({ host: '127.0.0.1', port })
  return stage
}

test('§2.1 (1) a question is a form in a POST', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  const good = await token()
  assert.equal((await ask(good)).body['active'], true)
  for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x']) {
    assert.equal((await ask(good, { headers: { 'content-type': type } })).status, 400, type)
  }
  assert.equal((await ask('')).body['error'], 'invalid_request')
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE'] as const) {
    assert.equal((await world.app.inject({ method, url: '/introspect' })).statusCode, 405)
  }
})

test('§2.1 (2) a hint that is wrong does not hide a token', async (t) => {
  const { token, ask } = await startIntrospecting(t)
  for (const hint of ['access_token', 'refresh_token', 'none of these']) {
    for (const audience of AUDIENCES) {
      const said = await ask(await token(audience), { form: { token_type_hint: hint } })
      assert.equal(said.body['active'], true, hint)
    }
  }
})

test('§2.1 (3) nobody asks without saying who it is', async (t) => {
  const { token, ask } = await startIntrospecting(t)
  for (const audience of AUDIENCES) {
    const said = await ask(await token(audience), { as: null })
    assert.equal(said.status, 401)
    assert.equal(said.body['error'], 'invalid_client')
  }
})

test('§2.1 (4) oauth4webapi, unmodified, asks with the assertion of a workload', async (t) => {
  const { world, token, mint } = await listening(t)
  const issuer = new URL(world.issuer)
  const insecure = { [oauth.allowInsecureRequests]: true }
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  const server = await oauth.processDiscoveryResponse(issuer, found)
  const client = { client_id: SERVER }
  const authenticate: oauth.ClientAuth = (_server, _client, body) => {
    body.set('client_assertion_type', JWT_BEARER)
    body.set('client_assertion', mint('mcp/server'))
  }
  for (const audience of AUDIENCES) {
    const about = await token(audience)
    const answer = await oauth.introspectionRequest(server, client, authenticate, about, insecure)
    const said = await oauth.processIntrospectionResponse(server, client, answer)
    assert.equal(said.active, true)
    assert.equal(said.sub, HOLDER)
    assert.equal(said.aud, audience)
  }
})

test('§2.1 (4) openid-client, unmodified, asks with the assertion of a workload', async (t) => {
  const { world, token, mint } = await listening(t)
  const authenticate: openid.ClientAuth = (_server, _client, body) => {
    body.set('client_assertion_type', JWT_BEARER)
    body.set('client_assertion', mint('mcp/server'))
  }
  const config = await openid.discovery(new URL(world.issuer), SERVER, undefined, authenticate, {
    execute: [openid.allowInsecureRequests],
  })
  for (const audience of AUDIENCES) {
    const said = await openid.tokenIntrospection(config, await token(audience))
    assert.equal(said.active, true)
    assert.equal(said.sub, HOLDER)
  }
  assert.deepEqual(await openid.tokenIntrospection(config, 'x'), { active: false })
})

test('§2.1 (5) a token for the endpoint authorizes its workload', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  const own = await token(`${world.issuer}/introspect`, 'mcp/server')
  const headers = { authorization: `Bearer ${own}` }
  assert.equal((await ask(await token(), { as: null, headers })).body['active'], true)
})

test('§2.2 (1) the answer is JSON, and says whether the token is active', async (t) => {
  const { token, ask } = await startIntrospecting(t)
  for (const said of [await ask(await token()), await ask('x')]) {
    assert.equal(said.headers['content-type'], 'application/json; charset=utf-8')
    assert.equal(typeof said.body['active'], 'boolean')
  }
})

test('§2.2 (2) members are the claims of the token', async (t) => {
  const { token, ask } = await startIntrospecting(t)
  const good = await token()
  const { active, token_type: type, ...claims } = (await ask(good)).body
  assert.equal(active, true)
  assert.equal(type, 'Bearer')
  assert.deepEqual(claims, decodeJwt(good))
})

test('§2.2 (3) a token that is unknown, over, revoked or not for the caller is not active', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  for (const audience of AUDIENCES) {
    const good = await token(audience)
    assert.equal((await ask(`${good.slice(0, -6)}AAAAAA`)).text, INACTIVE)
    assert.equal((await ask(good, { as: 'mcp/other' })).text, INACTIVE)
    world.clock.advance(300)
    assert.equal((await ask(good)).text, INACTIVE)
  }
})

test('§2.2 (4) nothing else is said of a token that is not active', async (t) => {
  const { ask, mint } = await startIntrospecting(t)
  for (const bad of [
    'x',
    '..',
    mint('agents/planner'),
    'countersign_at_AAAA',
    'eyJ'.repeat(9000),
  ]) {
    const { status, text } = await ask(bad)
    assert.deepEqual([status, text], [200, INACTIVE])
  }
})

test('§2.3 (1) bad credentials of the caller are a 401 of invalid_client', async (t) => {
  const { token, ask } = await startIntrospecting(t)
  const said = await ask(await token(), { form: { client_assertion: 'x.y.z' } })
  assert.deepEqual([said.status, said.body['error']], [401, 'invalid_client'])
})

test('§2.3 (2) a bad access token of the caller is a 401 that says so by its scheme', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  const own = await token(`${world.issuer}/introspect`, 'mcp/server')
  world.clock.advance(900)
  const headers = { authorization: `Bearer ${own}` }
  const said = await ask(await token(), { as: null, headers })
  assert.deepEqual([said.status, said.body['error']], [401, 'invalid_token'])
  assert.equal(said.headers['www-authenticate'], 'Bearer error="invalid_token"')
})

test('§2.3 (3) a good question about a bad token is answered 200', async (t) => {
  const { ask } = await startIntrospecting(t)
  assert.equal((await ask('x')).status, 200)
})

test('§4 (1) a token is active to its last second', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  for (const audience of AUDIENCES) {
    const good = await token(audience)
    world.clock.advance(299)
    assert.equal((await ask(good)).body['active'], true)
    world.clock.advance(1)
    assert.equal((await ask(good)).text, INACTIVE)
  }
})

test('§4 (3) a token that was revoked is not active', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  for (const audience of AUDIENCES) {
    const [good, other] = [await token(audience), await token(audience)]
    const target = String((await ask(good)).body['jti'])
    const what = { kind: 'token', target, name: nameOf('token', target), until: null } as const
    const at = world.clock.seconds()
    const why = { by: 'operator', reason: 'leaked', liftedAt: null }
    await world.broker.revocations.revoke({ ...what, ...why, at })
    assert.equal((await ask(good)).text, INACTIVE)
    assert.equal((await ask(other)).body['active'], true)
  }
})

test('§4 (4) a token that somebody else signed, or nobody, is not active', async (t) => {
  const [ours, theirs] = [await startIntrospecting(t), await startIntrospecting(t)]
  for (const audience of AUDIENCES) {
    assert.equal((await ours.ask(await theirs.token(audience))).text, INACTIVE)
  }
  const [, payload = ''] = (await ours.token()).split('.')
  const none = Buffer.from('{"alg":"none","typ":"at+jwt","kid":"x"}').toString('base64url')
  assert.equal((await ours.ask(`${none}.${payload}.`)).text, INACTIVE)
})

test('§4 (5) a token is not active before a server that it is not for', async (t) => {
  const resources = [
    { audience: RESOURCE, scopes: ['trades:read'] },
    { audience: SEALED, scopes: ['trades:read'], format: 'opaque', servedBy: [SERVER] },
  ]
  const { token, ask } = await startIntrospecting(t, { settings: { resources } })
  assert.equal((await ask(await token(RESOURCE))).text, INACTIVE)
  assert.equal((await ask(await token(SEALED))).body['active'], true)
})

test('§4 (6) no credential of one request is good for another workload', async (t) => {
  const { token, ask, mint } = await startIntrospecting(t)
  const form = { client_assertion: mint('mcp/other'), client_id: SERVER }
  assert.equal((await ask(await token(), { form })).status, 401)
})

test('§4 (7) no token reaches a log', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  for (const audience of AUDIENCES) {
    const good = await token(audience)
    await ask(good)
    await ask(good, { as: null })
    await ask(`${good}x`, { accept: 'application/jwt' })
    await ask(good, { as: null, headers: { authorization: `Bearer ${good}` } })
    assert.equal(world.written().includes(good.slice(-40)), false)
  }
})

test('§4 (8) our client keeps an answer for some seconds, and never past the end of the token', async (t) => {
  const { world, token, mint } = await listening(t)
  const own = introspector({
    issuer: world.issuer,
    credential: async () => ({ assertion: mint('mcp/server') }),
    keepSeconds: 3600,
    now: world.clock.now,
  })
  const good = await token(SEALED)
  assert.equal((await own.claims(good))?.['sub'], HOLDER)
  world.clock.advance(299)
  assert.equal((await own.claims(good))?.['sub'], HOLDER)
  world.clock.advance(1)
  assert.equal(await own.claims(good), null)
})
