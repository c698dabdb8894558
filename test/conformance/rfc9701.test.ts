/** RFC 9701: JWT Response for OAuth Token Introspection. See `manifest/rfc9701.ts`. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  type JSONWebKeySet,
  jwtVerify,
} from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { freePorts } from '../../src/cli/ports.ts'
import { InvalidToken, verifier } from '../../src/resource/index.ts'
import { RESOURCE } from '../world/broker.ts'
import { HOLDER, SEALED, SERVER, startIntrospecting } from '../world/introspection.ts'

const TYPE = 'application/token-introspection+jwt'
const SIGNED = { accept: TYPE }
const AUDIENCES = [RESOURCE, SEALED]
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

async function listening(t: TestContext) {
  const [port = 0] = await freePorts(1)
  const stage = await startIntrospecting(t, { issuer: `http://127.0.0.1:${port}` })
  await stage.world.app.listen({ host: '127.0.0.1', port })
  return stage
}

/** What is asked for, and the media type of the answer. */
const ACCEPTS: readonly (readonly [string | undefined, string])[] = [
  [TYPE, TYPE],
  ['APPLICATION/Token-Introspection+JWT', TYPE],
  [`${TYPE}, application/json;q=0.9`, TYPE],
  [`application/json;q=0.5, ${TYPE};q=0.8`, TYPE],
  [`application/json, ${TYPE};q=0.5`, 'application/json; charset=utf-8'],
  [`${TYPE};q=0`, 'application/json; charset=utf-8'],
  [`${TYPE};q=x`, 'application/json; charset=utf-8'],
  ['*/*', 'application/json; charset=utf-8'],
  ['text/html', 'application/json; charset=utf-8'],
  [undefined, 'application/json; charset=utf-8'],
]

test('§4 (1) the Accept header asks for a signed answer', async (t) => {
  const { token, ask } = await startIntrospecting(t)
  const good = await token()
  for (const [accept, type] of ACCEPTS) {
    const said = await ask(good, accept === undefined ? {} : { accept })
    assert.equal(said.headers['content-type'], type, String(accept))
    assert.equal(said.headers['vary'], 'accept')
  }
})

test('§4 (2) nobody gets a signed answer without saying who it is', async (t) => {
  const { token, ask } = await startIntrospecting(t)
  const said = await ask(await token(), { ...SIGNED, as: null })
  assert.deepEqual([said.status, said.body['error']], [401, 'invalid_client'])
})

test('§5 (1) media type and typ', async (t) => {
  const { token, ask } = await startIntrospecting(t)
  const said = await ask(await token(), SIGNED)
  assert.equal(said.headers['content-type'], TYPE)
  assert.equal(decodeProtectedHeader(said.text).typ, 'token-introspection+jwt')
})

test('§5 (2) a published key signs it', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  const jwks = (await world.app.inject('/jwks')).json<JSONWebKeySet>()
  for (const about of [await token(), await token(SEALED), 'x']) {
    const { text } = await ask(about, SIGNED)
    const { protectedHeader } = await jwtVerify(text, createLocalJWKSet(jwks), {
      typ: 'token-introspection+jwt',
      algorithms: ['ES256'],
      issuer: world.issuer,
      audience: SERVER,
    })
    assert.equal(protectedHeader.alg, 'ES256')
  }
})

test('§5 (3) it says who signs, for whom, and when', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  for (const [as, aud] of [
    ['mcp/server', SERVER],
    ['agents/planner', HOLDER],
  ] as const) {
    const claims = decodeJwt((await ask(await token(), { ...SIGNED, as })).text)
    assert.deepEqual(
      [claims.iss, claims.aud, claims.iat],
      [world.issuer, aud, world.clock.seconds()],
    )
    assert.equal(typeof claims['token_introspection'], 'object')
  }
})

test('§5 (4) what is signed is what would be said in JSON', async (t) => {
  const { token, ask } = await startIntrospecting(t)
  for (const audience of AUDIENCES) {
    const about = await token(audience)
    const signed = decodeJwt((await ask(about, SIGNED)).text)
    assert.deepEqual(signed['token_introspection'], (await ask(about)).body)
  }
})

test('§5 (5) of a token that is not active, or not for the caller, that alone is said', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  const inactive = async (about: string, as = 'mcp/server') => {
    const { text } = await ask(about, { ...SIGNED, as })
    assert.deepEqual(decodeJwt(text)['token_introspection'], { active: false })
  }
  for (const audience of AUDIENCES) {
    const good = await token(audience)
    await inactive(good, 'mcp/other')
    await inactive(`${good}x`)
    world.clock.advance(300)
    await inactive(good)
  }
})

test('§5 (6) the answer has neither sub nor exp of its own', async (t) => {
  const { token, ask } = await startIntrospecting(t)
  const claims = decodeJwt((await ask(await token(), SIGNED)).text)
  assert.deepEqual(Object.keys(claims).sort(), ['aud', 'iat', 'iss', 'token_introspection'])
})

test('§7 metadata lists the algorithm, and unmodified clients verify the answer by it', async (t) => {
  const { world, token, mint } = await listening(t)
  const metadata = (await world.app.inject('/.well-known/openid-configuration')).json()
  assert.deepEqual(metadata.introspection_signing_alg_values_supported, ['ES256'])

  const authenticate: oauth.ClientAuth = (_server, _client, body) => {
    body.set('client_assertion_type', JWT_BEARER)
    body.set('client_assertion', mint('mcp/server'))
  }
  const insecure = { [oauth.allowInsecureRequests]: true }
  const options = { requestJwtResponse: true, ...insecure }
  const about = await token(SEALED)
  const client = { client_id: SERVER }
  const answer = await oauth.introspectionRequest(metadata, client, authenticate, about, options)
  const said = await oauth.processIntrospectionResponse(metadata, client, answer)
  assert.deepEqual([said.active, said.sub], [true, HOLDER])
  await oauth.validateApplicationLevelSignature(metadata, answer, insecure)

  const config = await openid.discovery(
    new URL(world.issuer),
    SERVER,
    { introspection_signed_response_alg: 'ES256' },
    authenticate,
    { execute: [openid.allowInsecureRequests] },
  )
  openid.enableNonRepudiationChecks(config)
  assert.equal((await openid.tokenIntrospection(config, about)).sub, HOLDER)
})

test('§8.1 an answer is no access token: not for the broker, nor for our verifier', async (t) => {
  const { world, token, ask } = await listening(t)
  const about = await token()
  const { text } = await ask(about, SIGNED)
  assert.equal((await ask(text)).text, '{"active":false}')
  const headers = { authorization: `Bearer ${text}` }
  assert.equal((await ask(about, { as: null, headers })).status, 401)
  for (const audience of [RESOURCE, SERVER]) {
    const verify = verifier({ issuer: world.issuer, audience, now: world.clock.now })
    await assert.rejects(verify(text), InvalidToken)
  }
})
