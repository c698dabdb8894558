/** draft-ietf-oauth-transaction-tokens-10: each demand on the service that issues them. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { RESOURCE } from '../world/broker.ts'
import {
  ALICE,
  type ChainingWorld,
  DOMAIN,
  PLANNER,
  startChaining,
  TXN_TOKEN,
} from '../world/chaining.ts'
import { ACCESS_TOKEN, CHAT_SERVER, ID_TOKEN } from '../world/delegation.ts'

test('§9.1 typ', async (t) => {
  const world = await startChaining(t)
  const token = await world.issued(await world.txnForm())
  assert.equal(decodeProtectedHeader(token).typ, 'txntoken+jwt')
})

test('§9.2 (1) every claim', async (t) => {
  const world = await startChaining(t)
  const claims = decodeJwt(await world.issued(await world.txnForm()))
  const { iat, exp, txn, sub, scope, req_wl } = claims
  assert.equal(iat, world.clock.seconds())
  assert.ok(Number(exp) > Number(iat))
  assert.deepEqual([sub, scope, req_wl], [ALICE, 'trade.stocks trade.read', PLANNER])
  assert.match(String(txn), /^.{16,}$/)
})

test('§9.2 (2) aud is the trust domain', async (t) => {
  const world = await startChaining(t)
  assert.equal(decodeJwt(await world.issued(await world.txnForm())).aud, DOMAIN)
})

test('§11.3 (3) txn is another for each transaction', async (t) => {
  const world = await startChaining(t)
  const txn = async () => decodeJwt(await world.issued(await world.txnForm()))['txn']
  assert.notEqual(await txn(), await txn())
})

test('§11.4 (1) the answer says what it is, §11.4 (2) and has no refresh token', async (t) => {
  const world = await startChaining(t)
  const { body } = await world.ask(await world.txnForm())
  assert.deepEqual([body['token_type'], body['issued_token_type']], ['N_A', TXN_TOKEN])
})

test('§11.4 (2) no refresh token', async (t) => {
  const world = await startChaining(t)
  const { body } = await world.ask(await world.txnForm())
  assert.equal('refresh_token' in body, false)
})

test('§13.1 it lives for minutes, and not longer than what it was given for', async (t) => {
  const world = await startChaining(t)
  const form = await world.txnForm()
  const { body } = await world.ask(form)
  assert.equal(body['expires_in'], 300)
  world.clock.advance(500)
  const late = await world.ask({ ...form, actor_token: world.actor('planner') })
  assert.equal(Number(late.body['expires_in']), 100, JSON.stringify(late.body))
})

test('§13.4 nothing of the access token is in it', async (t) => {
  const world = await startChaining(t)
  const form = await world.txnForm()
  const payload = JSON.stringify(decodeJwt(await world.issued(form)))
  const access = form['subject_token'] ?? ''
  for (const part of [access, ...access.split('.').slice(1)]) {
    assert.equal(payload.includes(part), false)
  }
})

test('§13.6 its scope is what the subject token becomes, at most', async (t) => {
  const world = await startChaining(t)
  const subject_token = await world.issued(world.exchangeForm({ scope: 'trades:read' }))
  const { body } = await world.ask(await world.txnForm({ subject_token }))
  assert.equal(body['scope'], 'trade.read')
})

test('§13.15 (1) txn, sub and aud stay', async (t) => {
  const world = await startChaining(t)
  const form = await world.replaceForm()
  const [before, after] = [form['subject_token'] ?? '', await world.issued(form)].map((token) =>
    decodeJwt(token),
  )
  for (const claim of ['txn', 'sub', 'aud']) assert.deepEqual(after?.[claim], before?.[claim])
})

test('§13.15 (4) the workloads that asked are kept', async (t) => {
  const world = await startChaining(t)
  const { act, req_wl } = decodeJwt(await world.issued(await world.replaceForm()))
  assert.equal(req_wl, CHAT_SERVER)
  const chain = act as { sub: string; act: { sub: string } }
  assert.deepEqual([chain.sub, chain.act.sub], [CHAT_SERVER, PLANNER])
})

test('§15.2 nothing that was logged or audited holds one', async (t) => {
  const world = await startChaining(t)
  const token = await world.issued(await world.txnForm())
  for (const part of token.split('.').slice(1)) assert.equal(world.written().includes(part), false)
})

type Row = readonly [
  title: string,
  form: (world: ChainingWorld) => Promise<Record<string, string>> | Record<string, string>,
  error: string,
]

const REFRESH = 'urn:ietf:params:oauth:token-type:refresh_token'

const REFUSED: readonly Row[] = [
  [
    '§9.2 (2) outside of its domain',
    (w) => w.replaceForm({ audience: 'other.example' }),
    'invalid_target',
  ],
  ['§11.1 (1) no audience', (w) => w.txnForm({ audience: null }), 'invalid_target'],
  ['§11.1 (2) no scope', (w) => w.txnForm({ scope: null }), 'invalid_request'],
  ['§11.1 (3) no subject token', (w) => w.txnForm({ subject_token: null }), 'invalid_request'],
  ['§11.1 (3) no type of it', (w) => w.txnForm({ subject_token_type: null }), 'invalid_request'],
  [
    '§11.1 (4) a context that is none',
    (w) => w.txnForm({ request_context: '"a"' }),
    'invalid_request',
  ],
  [
    '§11.1 (4) details that are none',
    (w) => w.txnForm({ request_details: '{' }),
    'invalid_request',
  ],
  ['§11.2 a refresh token', (w) => w.txnForm({ subject_token_type: REFRESH }), 'invalid_request'],
  [
    '§11.3 (1) nobody who asks',
    (w) => w.txnForm({ actor_token: null, actor_token_type: null }),
    'invalid_request',
  ],
  [
    '§11.3 (1) somebody else',
    (w) => w.txnForm({ actor_token: w.actor('helper') }),
    'invalid_request',
  ],
  ['§11.3 (2) a token of nobody', (w) => w.txnForm({ subject_token: 'a.b.c' }), 'invalid_request'],
  ['§11.3 (4) a scope of nobody', (w) => w.txnForm({ scope: 'other' }), 'invalid_scope'],
  [
    '§13.6 a scope that the subject token does not become',
    async (w) =>
      w.txnForm({ subject_token: await w.issued(w.exchangeForm()), scope: 'trade.stocks' }),
    'invalid_scope',
  ],
  [
    '§13.12 as who acts',
    async (w) => w.exchangeForm({ actor_token: await w.issued(await w.txnForm()) }),
    'invalid_request',
  ],
  [
    '§13.13 as an access token',
    (w) => w.replaceForm({ subject_token_type: ACCESS_TOKEN }),
    'invalid_request',
  ],
  [
    '§13.13 for an access token',
    (w) => w.replaceForm({ requested_token_type: null, audience: RESOURCE, scope: 'trades:read' }),
    'invalid_target',
  ],
  [
    '§13.14 of an ID token',
    (w) => w.txnForm({ subject_token: w.idToken(), subject_token_type: ID_TOKEN }),
    'invalid_scope',
  ],
  [
    '§13.15 (2) wider',
    (w) => w.replaceForm({ scope: 'trade.stocks' }, { scope: 'trade.read' }),
    'invalid_scope',
  ],
  [
    '§13.15 (3) over',
    async (w) => {
      const form = await w.replaceForm()
      w.clock.advance(300)
      return { ...form, actor_token: w.actor('chat') }
    },
    'invalid_request',
  ],
]

for (const [title, form, error] of REFUSED) {
  test(`${title}: ${error}`, async (t) => {
    const world = await startChaining(t)
    const { status, body } = await world.ask(await form(world))
    assert.deepEqual([status, body['error']], [400, error], JSON.stringify(body))
  })
}
