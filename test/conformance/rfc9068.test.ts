/**
 * RFC 9068: JWT Profile for OAuth 2.0 Access Tokens. A server is our verifier, and the broker itself where it takes its
 * own tokens. Phantom tokens are access tokens as others are. See `manifest/rfc9068.ts`.
 */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT } from 'jose'
import { freePorts } from '../../src/cli/ports.ts'
import { InvalidToken, verifier } from '../../src/resource/index.ts'
import { RESOURCE } from '../world/broker.ts'
import { HOLDER, SEALED, startIntrospecting } from '../world/introspection.ts'
import { signer } from '../world/keys.ts'

/** A token as it is issued, and one that was opaque. */
async function tokens(t: TestContext) {
  const stage = await startIntrospecting(t)
  const { text } = await stage.ask(await stage.token(SEALED), { accept: 'application/jwt' })
  const both = [
    [await stage.token(), RESOURCE],
    [text, SEALED],
  ] as const
  return { ...stage, both }
}

test('§2.1 (1) a token is signed with ES256', async (t) => {
  for (const [token] of (await tokens(t)).both) {
    assert.equal(decodeProtectedHeader(token).alg, 'ES256')
    assert.equal(token.split('.')[2]?.length, 86)
  }
})

test('§2.1 (3) its typ is at+jwt', async (t) => {
  for (const [token] of (await tokens(t)).both) {
    assert.equal(decodeProtectedHeader(token).typ, 'at+jwt')
  }
})

test('§2.2 (1) every required claim is there', async (t) => {
  const { world, both } = await tokens(t)
  for (const [token, audience] of both) {
    const { iss, exp, aud, iat, jti } = decodeJwt(token)
    assert.deepEqual([iss, aud], [world.issuer, audience])
    assert.deepEqual([iat, exp], [world.clock.seconds(), world.clock.seconds() + 300])
    assert.match(String(jti), /^[\da-f-]{36}$/)
  }
})

test('§2.2 (2) sub is the workload, as client_id is', async (t) => {
  for (const [token] of (await tokens(t)).both) {
    const { sub, client_id: client } = decodeJwt(token)
    assert.deepEqual([sub, client], [HOLDER, HOLDER])
  }
})

test('§2.2.3 a token has the scope that was granted, and none when none was asked for', async (t) => {
  const { world, token, both } = await tokens(t)
  for (const [token] of both) assert.equal(decodeJwt(token)['scope'], 'trades:read')
  assert.equal('scope' in decodeJwt(await token(`${world.issuer}/introspect`)), false)
})

test('§3 (1) aud is the resource that was asked for, and that alone', async (t) => {
  for (const [token, audience] of (await tokens(t)).both) {
    assert.equal(decodeJwt(token).aud, audience)
  }
})

test('§3 (3) a scope of another resource is not granted', async (t) => {
  const resources = [
    { audience: RESOURCE, scopes: ['trades:read'] },
    { audience: SEALED, scopes: ['trades:write'] },
  ]
  const { world, mint } = await startIntrospecting(t, { settings: { resources } })
  const assertion = mint('agents/planner')
  const answer = await world.ask(world.form({ assertion, scope: 'trades:read trades:write' }))
  assert.equal(answer.body['scope'], 'trades:read')
})

/** A broker that listens, and tokens that its verifier and it are shown, made by a stranger's hand or by ours. */
async function servers(t: TestContext) {
  const [port = 0] = await freePorts(1)
  const stage = await startIntrospecting(t, { issuer: `http://127.0.0.1:${port}` })
  await stage.world.app.listen({ host: '127.0.0.1', port })
  const { issuer, clock } = stage.world
  const verify = (token: string, change: { issuer?: string; audience?: string } = {}) =>
    verifier({ issuer, audience: RESOURCE, now: clock.now, ...change })(token)
  return { ...stage, verify }
}

/** A JWT with the claims and the key id of a good one, signed by somebody else. */
async function forged(token: string, header: object, claims: JWTPayload = {}): Promise<string> {
  const { kid = '' } = decodeProtectedHeader(token)
  const { sign, jwk } = signer('stranger', 'ES256')
  const body = { ...decodeJwt(token), ...claims }
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${encode({ alg: 'ES256', typ: 'at+jwt', kid, ...header })}.${encode(body)}`
  assert.notEqual(jwk['kid'], kid)
  return `${input}.${sign(input).toString('base64url')}`
}

test('§4 (1) another typ is refused', async (t) => {
  const { token, ask, mint, verify } = await servers(t)
  const good = await token()
  assert.equal((await verify(good)).subject, HOLDER)
  const statement = await ask(good, { accept: 'application/token-introspection+jwt' })
  for (const other of [statement.text, mint('agents/planner')]) {
    await assert.rejects(verify(other), InvalidToken)
    assert.equal((await ask(other)).body['active'], false)
  }
})

test('§4 (3) another issuer is refused', async (t) => {
  const [one, two] = [await servers(t), await servers(t)]
  const foreign = await two.token()
  await assert.rejects(one.verify(foreign), InvalidToken)
  assert.equal((await one.ask(foreign)).body['active'], false)
})

test('§4 (4) another audience is refused', async (t) => {
  const { world, token, ask, verify } = await servers(t)
  const good = await token()
  await assert.rejects(verify(good, { audience: SEALED }), InvalidToken)
  const headers = { authorization: `Bearer ${good}` }
  assert.equal((await ask(good, { as: null, headers })).status, 401)
  await assert.rejects(verify(await token(`${world.issuer}/introspect`)), InvalidToken)
})

test('§4 (5) a signature that does not hold is refused, and alg none', async (t) => {
  const { token, ask, verify } = await servers(t)
  const good = await token()
  const unsigned = await forged(good, { alg: 'none' })
  const symmetric = new SignJWT(decodeJwt(good)).setProtectedHeader({
    ...decodeProtectedHeader(good),
    alg: 'HS256',
  })
  for (const bad of [
    await forged(good, {}),
    await forged(good, {}, { scope: 'trades:delete' }),
    unsigned,
    unsigned.replace(/\.[^.]*$/, '.'),
    await symmetric.sign(Buffer.alloc(32)),
    `${good.slice(0, -6)}AAAAAA`,
  ]) {
    await assert.rejects(verify(bad), InvalidToken)
    assert.equal((await ask(bad)).body['active'], false)
  }
})

test('§4 (6) a token that is over is refused', async (t) => {
  const { world, token, ask, verify } = await servers(t)
  const good = await token()
  world.clock.advance(299)
  assert.equal((await verify(good)).subject, HOLDER)
  world.clock.advance(1)
  await assert.rejects(verify(good), InvalidToken)
  assert.equal((await ask(good)).body['active'], false)
})

test('§5 sub is what the platform vouches for, whatever is asked', async (t) => {
  const { world, mint } = await startIntrospecting(t)
  const asked = {
    assertion: mint('agents/planner'),
    client_id: 'admin',
    sub: 'admin',
    subject: 'admin',
  }
  const answer = await world.ask(world.form(asked))
  const { sub, client_id: client } = decodeJwt(String(answer.body['access_token']))
  assert.deepEqual([sub, client], [HOLDER, HOLDER])
})
