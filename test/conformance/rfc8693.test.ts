/** RFC 8693, OAuth 2.0 Token Exchange: each demand at our token endpoint. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { RESOURCE } from '../world/broker.ts'
import {
  ACCESS_TOKEN,
  ALICE,
  CHAT,
  DELEGATION_POLICIES,
  EXCHANGE,
  HELPER,
  ID_TOKEN,
  JWT,
  PLANNER,
  startDelegation,
} from '../world/delegation.ts'

type Change = Readonly<Record<string, string | null>>

const REFUSED: readonly (readonly [title: string, change: Change, error: string])[] = [
  [
    '§2 (1) another spelling of the grant type is another grant type',
    { grant_type: EXCHANGE.toUpperCase() },
    'unsupported_grant_type',
  ],
  ['§2.1 (1) no subject_token', { subject_token: null }, 'invalid_request'],
  ['§2.1 (2) no subject_token_type', { subject_token_type: null }, 'invalid_request'],
  ['§2.1 (3) an actor_token without its type', { actor_token_type: null }, 'invalid_request'],
  [
    '§2.1 (4) the type of an actor_token that is not there',
    { actor_token: null },
    'invalid_request',
  ],
  [
    '§2.1 (5) a subject token that is not of its type',
    { subject_token_type: ACCESS_TOKEN },
    'invalid_request',
  ],
  [
    '§2.1 (5) an actor token that is not of its type',
    { actor_token_type: ACCESS_TOKEN },
    'invalid_request',
  ],
  ['§2.1 (6) a relative resource', { resource: '/mcp' }, 'invalid_target'],
  ['§2.1 (6) a resource with a fragment', { resource: `${RESOURCE}#part` }, 'invalid_target'],
  ['§2.1 (7) two targets', { audience: CHAT }, 'invalid_target'],
  [
    '§2.1 (8) a token type that is not issued',
    { requested_token_type: 'urn:ietf:params:oauth:token-type:saml2' },
    'invalid_request',
  ],
  ['§2.2.2 (1) a subject token of nobody', { subject_token: 'a.b.c' }, 'invalid_request'],
  ['§2.2.2 (1) an actor token of nobody', { actor_token: 'a.b.c' }, 'invalid_request'],
  [
    '§2.2.2 (2) a resource that is not served',
    { resource: 'https://other.example' },
    'invalid_target',
  ],
]

for (const [title, change, error] of REFUSED) {
  test(title, async (t) => {
    const world = await startDelegation(t)
    const { status, body } = await world.ask(world.exchangeForm(change))
    assert.deepEqual([status, body['error']], [400, error])
  })
}

test('§2.1 (7) audience alone names the target, and so does the same one twice', async (t) => {
  const world = await startDelegation(t)
  for (const change of [{ resource: null, audience: RESOURCE }, { audience: RESOURCE }]) {
    assert.equal(decodeJwt(await world.issued(world.exchangeForm(change))).aud, RESOURCE)
  }
})

test('§2.2.1 (1) what was issued, of which type, for how long', async (t) => {
  const world = await startDelegation(t)
  const { body } = await world.ask(world.exchangeForm({ requested_token_type: ACCESS_TOKEN }))
  assert.deepEqual(Object.keys(body).sort(), [
    'access_token',
    'expires_in',
    'issued_token_type',
    'scope',
    'token_type',
  ])
  assert.equal(body['issued_token_type'], ACCESS_TOKEN)
  assert.equal(body['token_type'], 'Bearer')
})

test('§2.2.1 (2) the scope that was granted is said where it is less', async (t) => {
  const policies = {
    'reads.cedar': DELEGATION_POLICIES['delegation.cedar'].replace('Action::"trades:write", ', ''),
  }
  const world = await startDelegation(t, { policies })
  const { body } = await world.ask(world.exchangeForm({ scope: 'trades:read trades:write' }))
  assert.equal(body['scope'], 'trades:read')
})

test('§2.2.1 (3) the answer is JSON that no cache keeps', async (t) => {
  const world = await startDelegation(t)
  const { headers } = await world.ask(world.exchangeForm())
  assert.match(String(headers['content-type']), /^application\/json/)
  assert.equal(headers['cache-control'], 'no-store')
})

test('§2.2.1 (4) no refresh token, which would outlive the subject token', async (t) => {
  const world = await startDelegation(t)
  const { body } = await world.ask(world.exchangeForm({ scope: 'trades:read' }))
  assert.equal('refresh_token' in body, false)
})

test('§4.1 (1) the actor is outermost, and who acted before within', async (t) => {
  const world = await startDelegation(t)
  const before = {
    iss: 'https://other.example',
    sub: 'assistant',
    sub_profile: 'ai_agent',
    note: 'kept',
  }
  const token = await world.issued(
    world.exchangeForm({
      subject_token: world.idToken(({ claims }) => Object.assign(claims, { act: before })),
    }),
  )
  const { act } = decodeJwt(token) as { act: { sub: string; act: object } }
  assert.equal(act.sub, PLANNER)
  assert.deepEqual(act.act, before)
})

test('§4.1 (2) a prior actor opens nothing: policies are asked of the current one', async (t) => {
  const policies = {
    'planner.cedar': DELEGATION_POLICIES['delegation.cedar'].replaceAll(
      'principal in Namespace::"prod-eu/agents"',
      'principal == ServiceAccount::"prod-eu/agents/planner"',
    ),
  }
  const world = await startDelegation(t, { policies })
  const parent = await world.issued(world.exchangeForm({ may_act: HELPER }))
  const { status, body } = await world.ask(
    world.exchangeForm({
      subject_token: parent,
      subject_token_type: ACCESS_TOKEN,
      actor_token: world.actor('helper'),
    }),
  )
  assert.deepEqual([status, body['error']], [400, 'invalid_scope'])
})

test('§4.1 (3) an exp within act ends nothing', async (t) => {
  const world = await startDelegation(t)
  const act = { iss: 'https://other.example', sub: 'assistant', exp: 1, nbf: 9e9, aud: 'x' }
  const token = await world.issued(
    world.exchangeForm({
      subject_token: world.idToken(({ claims }) => Object.assign(claims, { act })),
    }),
  )
  assert.equal(decodeJwt(token).sub, ALICE)
})

test('§4.2 scopes are one string, with spaces between', async (t) => {
  const world = await startDelegation(t)
  const token = await world.issued(world.exchangeForm({ scope: 'trades:read trades:write' }))
  assert.equal(decodeJwt(token)['scope'], 'trades:read trades:write')
})

test('§4.3 client_id is the workload that asked', async (t) => {
  const world = await startDelegation(t)
  assert.equal(decodeJwt(await world.issued(world.exchangeForm()))['client_id'], PLANNER)
})

const MAY_ACT: readonly (readonly [title: string, actor: string, status: number])[] = [
  ['§4.4 whom may_act names acts', 'helper', 200],
  ['§4.4 another does not', 'third', 400],
]

for (const [title, actor, expected] of MAY_ACT) {
  test(title, async (t) => {
    const world = await startDelegation(t)
    const parent = await world.issued(world.exchangeForm({ may_act: HELPER }))
    const { status } = await world.ask(
      world.exchangeForm({
        subject_token: parent,
        subject_token_type: ACCESS_TOKEN,
        actor_token: world.actor(actor),
      }),
    )
    assert.equal(status, expected)
  })
}

test('§2.1 (5) an ID token and a platform token of their types are taken', async (t) => {
  const world = await startDelegation(t)
  const form = world.exchangeForm({ subject_token_type: ID_TOKEN, actor_token_type: JWT })
  assert.equal((await world.ask(form)).status, 200)
})
