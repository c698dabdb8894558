/** RFC 7009: a holder takes its token back. That it is good for nothing afterwards is seen at introspection and by the feed. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { nameOf } from '../../src/lineage.ts'
import { type BrokerOptions, startBroker, type TestBroker } from '../world/broker.ts'

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const FORM = 'application/x-www-form-urlencoded'

/** A broker, a token of the planner, and requests by the planner unless something is changed. */
async function stage(t: TestContext, options: BrokerOptions = {}) {
  const world = await startBroker(t, options)
  const { body } = await world.ask(world.form())
  const token = String(body['access_token'])
  const post = async (form: Readonly<Record<string, string>> | string, headers = {}) => {
    const sent = typeof form === 'string' ? form : new URLSearchParams(form).toString()
    return world.app.inject({
      method: 'POST',
      url: '/revoke',
      headers: { 'content-type': FORM, ...headers },
      payload: sent,
    })
  }
  const mine = (change: Readonly<Record<string, string>> = {}) => ({
    token,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: world.cluster.mint(),
    ...change,
  })
  const revoke = (change?: Readonly<Record<string, string>>) => post(mine(change))
  return { world, token, post, mine, revoke }
}

function isRevoked({ broker }: TestBroker, token: string): boolean {
  const { jti, iat } = decodeJwt(token)
  return broker.revocations.revoked([nameOf('token', String(jti))], Number(iat)) !== null
}

/** Tokens that are not the planner's good one. */
async function otherTokens({ world, token }: Awaited<ReturnType<typeof stage>>) {
  const foreign = world.cluster.mint()
  return {
    'no token at all': 'x',
    'a token of somebody else': foreign,
    'a token that was cut': token.slice(0, -10),
    'a sealed token that is none': `countersign_at_${'A'.repeat(100)}`,
    'a very long text': 'a'.repeat(20_000),
  }
}

test('§2 (2) an access token is revoked', async (t) => {
  const { world, token, revoke } = await stage(t)
  assert.equal(isRevoked(world, token), false)
  assert.equal((await revoke()).statusCode, 200)
  assert.equal(isRevoked(world, token), true)
  const [record] = world.broker.revocations.standing(world.clock.seconds())
  const { jti, exp, sub } = decodeJwt(token)
  assert.deepEqual([record?.target, record?.until, record?.by], [jti, exp, sub])
})

test('§2 (3) the metadata names the endpoint and how a client is known there', async (t) => {
  const { world } = await stage(t)
  const url = '/.well-known/oauth-authorization-server'
  const metadata = (await world.app.inject({ url })).json()
  assert.equal(metadata.revocation_endpoint, `${world.issuer}/revoke`)
  assert.deepEqual(metadata.revocation_endpoint_auth_methods_supported, ['private_key_jwt'])
  assert.deepEqual(
    metadata.revocation_endpoint_auth_signing_alg_values_supported,
    metadata.token_endpoint_auth_signing_alg_values_supported,
  )
})

test('§2.1 (1) another method, another content type, parameters in the query: refused', async (t) => {
  const { world, token, post, mine } = await stage(t)
  const form = new URLSearchParams(mine()).toString()
  const get = await world.app.inject({ method: 'GET', url: `/revoke?${form}` })
  assert.deepEqual([get.statusCode, get.headers['allow']], [405, 'POST'])
  const json = await post(JSON.stringify(mine()), { 'content-type': 'application/json' })
  assert.deepEqual([json.statusCode, json.json().error], [400, 'invalid_request'])
  const headers = { 'content-type': FORM }
  const query = await world.app.inject({
    method: 'POST',
    url: '/revoke?x=1',
    headers,
    payload: form,
  })
  assert.deepEqual([query.statusCode, query.json().error], [400, 'invalid_request'])
  assert.equal(isRevoked(world, token), false)
})

test('§2.1 (2) without a token, or with two: invalid_request', async (t) => {
  const { world, token, post, mine, revoke } = await stage(t)
  const twice = `${new URLSearchParams(mine())}&token=${token}`
  for (const response of [await revoke({ token: '' }), await post(twice)]) {
    assert.deepEqual([response.statusCode, response.json().error], [400, 'invalid_request'])
  }
  assert.equal(isRevoked(world, token), false)
})

for (const hint of ['access_token', 'refresh_token', 'nothing that is known']) {
  test(`§2.1 (3) with the hint "${hint}" it is found`, async (t) => {
    const { world, token, revoke } = await stage(t)
    assert.equal((await revoke({ token_type_hint: hint })).statusCode, 200)
    assert.equal(isRevoked(world, token), true)
  })
}

test('§2.1 (4) who does not authenticate revokes nothing, and hears the same for any token', async (t) => {
  const { world, token, post, revoke } = await stage(t)
  const bad = world.cluster.mint(({ claims }) => {
    claims['exp'] = world.clock.seconds() - 1
  })
  for (const text of [token, 'x']) {
    const without = await post({ token: text })
    const withBad = await revoke({ token: text, client_assertion: bad })
    assert.deepEqual([without.statusCode, without.json().error], [401, 'invalid_client'])
    assert.deepEqual([withBad.statusCode, withBad.json().error], [401, 'invalid_client'])
    const other = await revoke({ token: text, client_id: 'k8s://prod-eu/ns/agents/sa/other' })
    assert.deepEqual([other.statusCode, other.json().error], [401, 'invalid_client'])
  }
  assert.equal(isRevoked(world, token), false)
})

test('§2.1 (5) another workload is answered alike, and the token stays good', async (t) => {
  const { world, token, revoke } = await stage(t)
  const other = world.cluster.mint(({ claims }) => {
    const own = claims['kubernetes.io'] as { serviceaccount: { name: string } }
    own.serviceaccount.name = 'other'
    claims['sub'] = 'system:serviceaccount:agents:other'
  })
  const response = await revoke({ client_assertion: other })
  assert.deepEqual([response.statusCode, response.body], [200, ''])
  assert.equal(isRevoked(world, token), false)
})

test('§2.1 (6) it is in the next feed, and another token of the same workload is good', async (t) => {
  const { world, token, revoke } = await stage(t)
  const another = String((await world.ask(world.form())).body['access_token'])
  await revoke()
  const { body } = await world.app.inject({ url: '/revocations' })
  const { revocations } = decodeJwt(body)
  const { jti, exp } = decodeJwt(token)
  assert.deepEqual(revocations, [{ hash: nameOf('token', String(jti)), until: exp }])
  assert.equal(isRevoked(world, another), false)
})

test('§2.2 (1) the answer is 200, empty and not to be kept; a second time is no error', async (t) => {
  const { world, revoke } = await stage(t)
  for (let time = 1; time <= 2; time += 1) {
    const response = await revoke()
    assert.deepEqual([response.statusCode, response.body], [200, ''])
    assert.equal(response.headers['cache-control'], 'no-store')
  }
  assert.equal(world.broker.revocations.size(), 1)
})

test('§2.2 (2) what is no good token is answered like one', async (t) => {
  const world = await stage(t)
  for (const [what, token] of Object.entries(await otherTokens(world))) {
    const response = await world.revoke({ token })
    assert.deepEqual([response.statusCode, response.body], [200, ''], what)
  }
  world.world.clock.advance(301)
  assert.equal((await world.revoke()).statusCode, 200, 'a token that is over')
  assert.equal(world.world.broker.revocations.size(), 0)
})

test('§2.2.1 (1) errors have the body of RFC 6749 §5.2, and no origin of a browser reads them', async (t) => {
  const { post } = await stage(t)
  const response = await post({}, { origin: 'https://evil.example' })
  const { error, error_description: sentence } = response.json()
  assert.deepEqual([error, typeof sentence], ['invalid_request', 'string'])
  assert.equal(response.headers['cache-control'], 'no-store')
  assert.equal(response.headers['access-control-allow-origin'], undefined)
})

test('§2.2.1 (3) when nobody can tell what is revoked: 503, Retry-After, and the token exists', async (t) => {
  let monotonic = 0
  const { world, token, revoke } = await stage(t, { stopwatch: () => monotonic })
  monotonic = 31_000
  const response = await revoke()
  assert.deepEqual([response.statusCode, response.json().error], [503, 'temporarily_unavailable'])
  assert.ok(response.headers['retry-after'])
  assert.equal(isRevoked(world, token), false)
})

test('§5 every token that is not the own sounds like every other, the good one included', async (t) => {
  const world = await stage(t)
  const answers = new Set<string>()
  for (const token of [...Object.values(await otherTokens(world)), world.token]) {
    const { statusCode, body, headers } = await world.revoke({ token })
    const { 'x-request-id': _id, date: _date, ...same } = headers
    answers.add(JSON.stringify([statusCode, body, same]))
  }
  assert.equal(answers.size, 1)
})
