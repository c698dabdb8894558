/** MCP Enterprise-Managed Authorization: each demand, as the provider’s side (§4) and as the resource’s (§5). */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { RESOURCE } from '../world/broker.ts'
import {
  ALICE,
  ID_JAG,
  JWT_BEARER,
  ORDERS,
  PARTNER,
  PLANNER,
  startChaining,
} from '../world/chaining.ts'
import { CHAT, EXCHANGE, startDelegation } from '../world/delegation.ts'
import type { Draft } from '../world/issuer.ts'
import { signer } from '../world/keys.ts'

const PAIRS: readonly (readonly [title: string, change: Record<string, string | null>])[] = [
  ['§4 (1) no audience', { audience: null }],
  ['§4 (1) the token endpoint as audience', { audience: `${PARTNER}/token` }],
  ['§4 (2) no resource', { resource: null }],
  ['§4 (2) a resource with a fragment', { resource: `${ORDERS}#a` }],
  ['§7.6.1 an audience that does not serve the resource', { resource: RESOURCE }],
  ['§7.6.1 a resource of nobody', { resource: 'https://other.example' }],
  ['§7.6.1 an audience of nobody', { audience: 'https://other.example' }],
]

for (const [title, change] of PAIRS) {
  test(`${title}: invalid_target`, async (t) => {
    const world = await startChaining(t)
    const { status, body } = await world.ask(world.chainForm(change))
    assert.deepEqual([status, body['error']], [400, 'invalid_target'])
  })
}

test('§4.1 policies decide for whom, by whom, there', async (t) => {
  const world = await startChaining(t)
  const subject_token = world.idToken(({ claims }) => Object.assign(claims, { groups: ['staff'] }))
  const { body } = await world.ask(world.chainForm({ subject_token }))
  assert.equal(body['error'], 'invalid_scope')
  const rulings = world
    .events()
    .at(-1)
    ?.decision?.rulings.map(({ action }) => action)
  assert.deepEqual(rulings, ['delegate', 'orders:read'])
})

test('§4.2 the answer says what it is, §4.3 (1) what it holds, §4.3 (2) for what', async (t) => {
  const world = await startChaining(t)
  const { body, headers } = await world.ask(world.chainForm())
  assert.equal(headers['cache-control'], 'no-store')
  assert.deepEqual([body['issued_token_type'], body['token_type']], [ID_JAG, 'N_A'])
})

test('§4.3 (1) typ and every claim', async (t) => {
  const world = await startChaining(t)
  const token = await world.issued(world.chainForm())
  assert.equal(decodeProtectedHeader(token).typ, 'oauth-id-jag+jwt')
  const { iss, sub, aud, client_id, jti, exp, iat } = decodeJwt(token)
  assert.deepEqual([iss, sub, aud, client_id], [world.issuer, ALICE, PARTNER, 'planner-at-partner'])
  assert.deepEqual([typeof jti, typeof exp, typeof iat], ['string', 'number', 'number'])
})

test('§4.3 (2) resource is the identifier of the MCP server', async (t) => {
  const world = await startChaining(t)
  assert.equal(decodeJwt(await world.issued(world.chainForm()))['resource'], ORDERS)
})

test('§7.7 without client authentication a subject token gets no ID-JAG', async (t) => {
  const world = await startChaining(t)
  const nobody = { actor_token: null, actor_token_type: null }
  const { status, body } = await world.ask(world.chainForm(nobody))
  assert.deepEqual([status, body['error']], [400, 'invalid_request'])
})

test('§5 an ID-JAG and its client get an access token', async (t) => {
  const world = await startChaining(t)
  const { status, body } = await world.ask(world.grantForm())
  assert.deepEqual([status, body['token_type']], [200, 'Bearer'])
  const alone = { client_assertion: null, client_assertion_type: null }
  assert.equal((await world.ask(world.grantForm(alone))).body['error'], 'invalid_client')
})

test('§5.1 (2) the access token is for the resource of the ID-JAG', async (t) => {
  const world = await startChaining(t)
  const { aud } = decodeJwt(await world.issued(world.grantForm({ resource: null })))
  assert.equal(aud, RESOURCE)
})

const BAD: readonly (readonly [title: string, change: (token: Draft) => void])[] = [
  ['§5.1 (1) for another client', ({ claims }) => Object.assign(claims, { client_id: 'other' })],
  ['§5.1 (2) for another resource', ({ claims }) => Object.assign(claims, { resource: CHAT })],
  ['§5.1 (3) bound to a key', ({ claims }) => Object.assign(claims, { cnf: { jkt: 'x' } })],
  ['§7.4.1 (2) unsigned', ({ header }) => Object.assign(header, { alg: 'none' })],
  ['§7.4.1 (2) with a MAC', ({ header }) => Object.assign(header, { alg: 'HS256' })],
  ['§7.4.1 (3) of another issuer', ({ claims }) => Object.assign(claims, { iss: PARTNER })],
  ['§7.4.1 (3) of nobody', ({ claims }) => delete claims['sub']],
  ['§7.4.1 (3) without iat', ({ claims }) => delete claims['iat']],
  ['§7.4.1 (3) without exp', ({ claims }) => delete claims['exp']],
  ['§7.4.1 (4) for another server', ({ claims }) => Object.assign(claims, { aud: PARTNER })],
  ['§7.4.2 (1) over', ({ claims }) => Object.assign(claims, { iat: 1, exp: 2 })],
  ['§7.4.2 (1) of the future', ({ claims }) => Object.assign(claims, { nbf: 4_000_000_000 })],
  [
    '§7.6.2 with our aud and another resource',
    ({ claims }) => Object.assign(claims, { resource: ORDERS }),
  ],
  [
    '§7.6.2 with our resource and another aud',
    ({ claims }) => Object.assign(claims, { aud: CHAT }),
  ],
]

for (const [title, change] of BAD) {
  test(`${title}: invalid_grant`, async (t) => {
    const world = await startChaining(t)
    const { status, body } = await world.ask(world.grantForm({ assertion: world.idJag(change) }))
    assert.deepEqual([status, body['error']], [400, 'invalid_grant'])
  })
}

test('§7.4.1 (1) signed with another key: invalid_grant', async (t) => {
  const world = await startChaining(t)
  const good = decodeJwt(world.idJag())
  const header = { alg: 'RS256', kid: world.corp.kid, typ: 'oauth-id-jag+jwt' }
  const assertion = world.cluster.sign({ header, claims: good }, signer('mallory'))
  assert.equal((await world.ask(world.grantForm({ assertion }))).body['error'], 'invalid_grant')
})

test('§7.2.1 scopes are those of both', async (t) => {
  const world = await startChaining(t)
  const scope = 'trades:read'
  const assertion = () => world.idJag(({ claims }) => Object.assign(claims, { scope }))
  const both = { assertion: assertion(), scope: 'trades:read trades:write' }
  assert.equal((await world.ask(world.grantForm(both))).body['scope'], scope)
  const all = await world.ask(world.grantForm({ assertion: assertion() }))
  assert.equal(all.body['scope'], scope)
  const other = await world.ask(world.grantForm({ assertion: assertion(), scope: 'trades:write' }))
  assert.equal(other.body['error'], 'invalid_scope')
})

test('§7.4.2 (2) a jti is good once, also in another assertion, until the first is over', async (t) => {
  const world = await startChaining(t)
  const again = () => world.idJag(({ claims }) => Object.assign(claims, { jti: 'one' }))
  assert.equal((await world.ask(world.grantForm({ assertion: again() }))).status, 200)
  world.clock.advance(200)
  const { body } = await world.ask(world.grantForm({ assertion: again() }))
  assert.equal(body['error'], 'invalid_grant')
})

test('§7.4.2 (3) nothing that was logged or audited holds an ID-JAG', async (t) => {
  const world = await startChaining(t)
  const taken = world.idJag()
  await world.issued(world.grantForm({ assertion: taken }))
  const made = await world.issued(world.chainForm())
  for (const token of [taken, made]) {
    assert.equal(world.written().includes(token.slice(token.lastIndexOf('.') + 1)), false)
    assert.equal(world.written().includes(token.split('.')[1] ?? ''), false)
  }
})

test('§6 metadata says that ID-JAGs are taken and made, and by whom or for whom it does not say', async (t) => {
  const world = await startChaining(t)
  const url = '/.well-known/oauth-authorization-server'
  const text = (await world.app.inject({ url })).body
  const document = JSON.parse(text)
  assert.deepEqual(document.authorization_grant_profiles_supported, [
    'urn:ietf:params:oauth:grant-profile:id-jag',
  ])
  assert.deepEqual(document.identity_chaining_requested_token_types_supported, [ID_JAG])
  for (const type of [JWT_BEARER, EXCHANGE]) {
    assert.ok(document.grant_types_supported.includes(type))
  }
  for (const name of ['corp', PARTNER, PLANNER]) assert.equal(text.includes(name), false, name)
  const without = await startDelegation(t)
  const other = (await without.app.inject({ url })).body
  assert.doesNotMatch(other, /authorization_grant_profiles|identity_chaining/)
})
