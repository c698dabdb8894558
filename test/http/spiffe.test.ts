/** SPIFFE workloads at the token endpoint, beside a cluster: every carrier, one workload. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { ISSUER, RESOURCE, startBroker } from '../world/broker.ts'
import { TestClock } from '../world/clock.ts'
import { put } from '../world/kubernetes.ts'
import { FakeSpire, PLANNER, TRUST_DOMAIN } from '../world/spiffe.ts'

const TYPE = 'urn:ietf:params:oauth:client-assertion-type:'
const POLICY = `
@id("planner") @owner("team-agents")
permit (principal == SpiffeWorkload::"${PLANNER}", action == Action::"trades:read", resource)
when { principal.trustDomain == "${TRUST_DOMAIN}" && principal.path like "/ns/agents/*" && principal.svid == "jwt" };
@id("pods") @owner("team-agents")
permit (principal == ServiceAccount::"prod-eu/agents/planner", action == Action::"trades:read", resource);
`

async function startMixed(t: TestContext) {
  const spire = await new FakeSpire(new TestClock(), ISSUER).listen()
  t.after(() => spire.close())
  const trust: object[] = []
  const world = await startBroker(t, {
    policies: { 'trades.cedar': POLICY },
    settings: { trust },
    before: ({ issuer }) => {
      const jwks = { discovery: true, allowPrivate: true }
      const bundle = { url: spire.jwksUrl, profile: 'https_web', allowPrivate: true }
      trust.push(
        { kubernetes: { cluster: 'prod-eu', issuer, jwks } },
        { spiffe: { trustDomain: TRUST_DOMAIN, environment: 'production', bundle } },
      )
    },
  })
  const asAssertion = (assertion: string) => world.ask(world.form({ assertion }))
  const asClient = (token: string, type: string, more: Record<string, string> = {}) => {
    const { assertion: _gone, ...form } = world.form()
    const client = { client_assertion_type: `${TYPE}${type}`, client_assertion: token }
    return world.ask({ ...form, grant_type: 'client_credentials', ...client, ...more })
  }
  const reason = () => world.events().at(-1)?.reason
  return { world, spire, asAssertion, asClient, reason }
}

test('a JWT-SVID is worth the same on every carrier, as often as it is shown', async (t) => {
  const { world, spire, asAssertion, asClient } = await startMixed(t)
  const token = spire.mint()
  for (const answer of [
    await asAssertion(token),
    await asClient(token, 'jwt-spiffe'),
    await asClient(token, 'jwt-bearer'),
    await asClient(token, 'jwt-spiffe', { client_id: PLANNER }),
  ]) {
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    const { sub, client_id: client, aud, scope } = decodeJwt(String(answer.body['access_token']))
    assert.deepEqual([sub, client, aud, scope], [PLANNER, PLANNER, RESOURCE, 'trades:read'])
  }
  assert.equal(world.events().at(-1)?.question?.actor.trust, `spiffe:${TRUST_DOMAIN}`)
})

test('the metadata says that a JWT-SVID is taken', async (t) => {
  const { world } = await startMixed(t)
  const document = (await world.app.inject('/.well-known/oauth-authorization-server')).json()
  const methods = document.token_endpoint_auth_methods_supported
  assert.deepEqual(methods, ['none', 'private_key_jwt', 'spiffe_jwt'])
})

test('a pod’s token is no JWT-SVID, whatever the caller calls it', async (t) => {
  const { world, asClient, reason } = await startMixed(t)
  const token = world.cluster.mint()
  const answer = await asClient(token, 'jwt-spiffe')
  assert.deepEqual([answer.status, answer.body['error']], [401, 'invalid_client'])
  assert.equal(reason(), 'type_refused')
  assert.equal((await asClient(token, 'jwt-bearer')).status, 200)
})

test('the type of another profile is not known', async (t) => {
  const { spire, asClient } = await startMixed(t)
  const answer = await asClient(spire.mint(), 'spiffe-jwt')
  assert.deepEqual([answer.status, answer.body['error']], [400, 'invalid_request'])
})

test('another client_id than the SPIFFE ID is refused', async (t) => {
  const { spire, asClient, reason } = await startMixed(t)
  const answer = await asClient(spire.mint(), 'jwt-spiffe', { client_id: `${PLANNER}/x` })
  assert.equal(answer.status, 401)
  assert.equal(reason(), 'client_mismatched')
})

test('another workload of the trust domain has nothing, and one of another is not known', async (t) => {
  const { spire, asAssertion, reason } = await startMixed(t)
  const as = (sub: string) => spire.mint(({ claims }) => put(claims, 'sub', sub))
  assert.equal((await asAssertion(as(`${PLANNER}/x`))).body['error'], 'invalid_scope')
  assert.equal(reason(), 'policy_denied')
  assert.equal((await asAssertion(as('spiffe://evil.example/ns/a'))).body['error'], 'invalid_grant')
  assert.equal(reason(), 'issuer_untrusted')
})

test('a key of the cluster signs no SVID', async (t) => {
  const { world, spire, asAssertion, reason } = await startMixed(t)
  await asAssertion(world.cluster.mint())
  assert.equal((await asAssertion(spire.mint(() => {}, world.cluster.signer))).status, 400)
  assert.equal(reason(), 'key_unknown')
})

test('once the bundle has rotated, what the old key signed is refused', async (t) => {
  const { spire, asAssertion, reason } = await startMixed(t)
  const before = spire.mint()
  assert.equal((await asAssertion(before)).status, 200)
  spire.rotate()
  assert.equal((await asAssertion(spire.mint())).status, 200)
  assert.equal((await asAssertion(before)).status, 400)
  assert.equal(reason(), 'key_unknown')
})
