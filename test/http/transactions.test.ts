/** Transaction tokens at the token endpoint: issued and replaced. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { verifyReceipts } from '../../src/resource/receipts.ts'
import { ISSUER, RESOURCE } from '../world/broker.ts'
import { ALICE, DOMAIN, PLANNER, startChaining, TXN_TOKEN } from '../world/chaining.ts'
import { CHAT_SERVER } from '../world/delegation.ts'

test('a transaction token says what the call is about, for whom, and who asked', async (t) => {
  const world = await startChaining(t)
  const { status, body } = await world.ask(await world.txnForm())
  assert.equal(status, 200, JSON.stringify([body, world.events().at(-1)?.detail]))
  const { access_token, issued_token_type, token_type, scope, expires_in } = body
  assert.deepEqual(
    [issued_token_type, token_type, scope],
    [TXN_TOKEN, 'N_A', 'trade.stocks trade.read'],
  )
  assert.equal(expires_in, 300)
  assert.equal(decodeProtectedHeader(String(access_token)).typ, 'txntoken+jwt')
  const claims = decodeJwt(String(access_token))
  const { iss, aud, sub, txn, req_wl, rctx, tctx, act } = claims
  assert.deepEqual(
    { iss, aud, sub, req_wl, scope: claims['scope'] },
    { iss: ISSUER, aud: DOMAIN, sub: ALICE, req_wl: PLANNER, scope: 'trade.stocks trade.read' },
  )
  assert.equal(txn, world.events().at(-1)?.id)
  assert.deepEqual(rctx, { req_ip: '69.151.72.123', authn: 'face' })
  assert.deepEqual(tctx, { action: 'BUY', ticker: 'MSFT', quantity: '100' })
  assert.deepEqual(act, { iss: ISSUER, sub: PLANNER, sub_profile: 'ai_agent' })
  assert.equal('client_id' in claims, false)
  assert.doesNotMatch(world.written(), /69\.151\.72\.123|MSFT/)
})

test('replaced, it stays the same transaction of the same subject, and the chain goes on', async (t) => {
  const world = await startChaining(t)
  const form = await world.replaceForm({
    scope: 'trade.read',
    request_details: '{"desk":"7"}',
  })
  const before = decodeJwt(form['subject_token'] ?? '')
  world.clock.advance(60)
  const token = await world.issued({ ...form, actor_token: world.actor('chat') })
  const after = decodeJwt(token)
  for (const claim of ['iss', 'aud', 'sub', 'txn', 'rctx', 'exp']) {
    assert.deepEqual(after[claim], before[claim], claim)
  }
  assert.deepEqual(after['tctx'], { action: 'BUY', ticker: 'MSFT', quantity: '100', desk: '7' })
  assert.equal(after['scope'], 'trade.read')
  assert.equal(after['req_wl'], CHAT_SERVER)
  assert.deepEqual((after['act'] as { act: unknown }).act, before['act'])
  const chain = await verifyReceipts(after, {
    keys: [...world.broker.metadata.publishedKeys().keys],
  })
  assert.deepEqual(
    chain.hops.map(({ actor, audience, scopes }) => [actor, audience, scopes.join(' ')]),
    [
      [PLANNER, RESOURCE, 'trades:read trades:write'],
      [PLANNER, DOMAIN, 'trade.stocks trade.read'],
      [CHAT_SERVER, DOMAIN, 'trade.read'],
    ],
  )
})
