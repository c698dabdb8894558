/** The receipts of a chain, verified by someone who has nothing but our public keys. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt, type JSONWebKeySet, type JWTPayload } from 'jose'
import type { Reason } from '../src/refusal.ts'
import { InvalidReceipts, verifyReceipts } from '../src/resource/receipts.ts'
import { RESOURCE } from './world/broker.ts'
import {
  ACCESS_TOKEN,
  ALICE,
  CHAT,
  CHAT_SERVER,
  type DelegationWorld,
  HELPER,
  PLANNER,
  startDelegation,
} from './world/delegation.ts'

/** Alice → planner → helper at the chat; its server → the trades. */
async function threeHops(t: TestContext): Promise<{ world: DelegationWorld; tokens: string[] }> {
  const world = await startDelegation(t)
  const first = await world.issued(
    world.exchangeForm({ resource: CHAT, scope: 'chat:use chat:admin', may_act: HELPER }),
  )
  const next = (subject: string, actor: string, change: Readonly<Record<string, string | null>>) =>
    world.issued(
      world.exchangeForm({
        subject_token: subject,
        subject_token_type: ACCESS_TOKEN,
        actor_token: world.actor(actor),
        ...change,
      }),
    )
  const second = await next(first, 'helper', { resource: CHAT, scope: 'chat:use' })
  const third = await next(second, 'chat', { resource: RESOURCE, scope: null })
  return { world, tokens: [first, second, third] }
}

const keysOf = (world: DelegationWorld) =>
  world.broker.metadata.publishedKeys() as unknown as JSONWebKeySet

test('a chain of three hops is told whole by the last token alone', async (t) => {
  const { world, tokens } = await threeHops(t)
  const claims = decodeJwt(tokens[2] ?? '')
  const chain = await verifyReceipts(claims, keysOf(world))
  assert.equal(chain.subject, ALICE)
  assert.equal(chain.vouchedBy, 'users:corp')
  assert.deepEqual(
    chain.hops.map(({ actor, audience, scopes }) => [actor, audience, scopes.join(' ')]),
    [
      [PLANNER, CHAT, 'chat:use chat:admin'],
      [HELPER, CHAT, 'chat:use'],
      [CHAT_SERVER, RESOURCE, 'trades:read'],
    ],
  )
  assert.ok((claims['receipts'] as string[]).join(',').length <= 2048)
})

test('receipts verify with archived keys after tokens and signing keys are long retired', async (t) => {
  const { world, tokens } = await threeHops(t)
  const archived = structuredClone(keysOf(world))
  world.clock.advance(400 * 24 * 3600)
  const chain = await verifyReceipts(decodeJwt(tokens[2] ?? ''), archived)
  assert.equal(chain.hops.length, 3)
})

test('a receipt is no access token, and an access token no receipt', async (t) => {
  const { world, tokens } = await threeHops(t)
  const [token = ''] = tokens
  const [receipt = ''] = decodeJwt(token)['receipts'] as string[]
  const { status } = await world.ask(
    world.exchangeForm({ subject_token: receipt, subject_token_type: ACCESS_TOKEN }),
  )
  assert.equal(status, 400)
  await assert.rejects(
    verifyReceipts({ ...decodeJwt(token), receipts: [token] }, keysOf(world)),
    InvalidReceipts,
  )
})

const FORGERIES: readonly (readonly [
  string,
  (claims: JWTPayload, receipts: string[]) => object,
])[] = [
  ['no receipts', (claims) => ({ ...claims, receipts: undefined })],
  ['an empty list', (claims) => ({ ...claims, receipts: [] })],
  [
    'more than any chain has',
    (claims, receipts) => ({ ...claims, receipts: Array(17).fill(receipts[0]) }),
  ],
  ['something else than text', (claims) => ({ ...claims, receipts: [1] })],
  ['the first hop left out', (claims, receipts) => ({ ...claims, receipts: receipts.slice(1) })],
  ['the middle hop left out', (claims, [a, , c]) => ({ ...claims, receipts: [a, c] })],
  ['the last hop left out', (claims, receipts) => ({ ...claims, receipts: receipts.slice(0, -1) })],
  ['another order', (claims, [a, b, c]) => ({ ...claims, receipts: [b, a, c] })],
  ['a hop twice', (claims, [a, b, c]) => ({ ...claims, receipts: [a, b, b, c] })],
  ['another subject', (claims) => ({ ...claims, sub: 'user://corp/bob' })],
  ['another actor', (claims) => ({ ...claims, client_id: HELPER })],
  ['another audience', (claims) => ({ ...claims, aud: CHAT })],
  ['wider scopes', (claims) => ({ ...claims, scope: 'trades:read trades:write' })],
  ['another instant', (claims) => ({ ...claims, iat: Number(claims.iat) + 1 })],
  ['a chain without its first actor', (claims) => ({ ...claims, act: withoutLast(claims['act']) })],
  [
    'a chain that names another',
    (claims) => ({
      ...claims,
      act: { sub: CHAT_SERVER, act: { sub: PLANNER, act: { sub: HELPER } } },
    }),
  ],
]

function withoutLast(act: unknown): object {
  const { act: inner, ...self } = act as { act: { act?: object } }
  const { act: _last, ...middle } = inner
  return { ...self, act: middle }
}

test('receipts that were cut, reordered, or are of another token do not hold', async (t) => {
  const { world, tokens } = await threeHops(t)
  const claims = decodeJwt(tokens[2] ?? '')
  for (const [title, forge] of FORGERIES) {
    const forged = forge(claims, [...(claims['receipts'] as string[])])
    await assert.rejects(
      verifyReceipts(forged as Record<string, unknown>, keysOf(world)),
      InvalidReceipts,
      title,
    )
  }
})

test('every byte of every receipt counts', async (t) => {
  const { world, tokens } = await threeHops(t)
  const claims = decodeJwt(tokens[2] ?? '')
  const receipts = claims['receipts'] as string[]
  let tried = 0
  for (const [index, receipt] of receipts.entries()) {
    for (let at = 0; at < receipt.length; at += 1) {
      // The last character of a signature has bits that lenient decoders do not read.
      const other = receipt[at] === 'A' ? 'B' : 'A'
      const changed = `${receipt.slice(0, at)}${other}${receipt.slice(at + 1)}`
      const forged = receipts.with(index, changed)
      await assert.rejects(
        verifyReceipts({ ...claims, receipts: forged }, keysOf(world)),
        InvalidReceipts,
        `receipt ${index}, character ${at}`,
      )
      tried += 1
    }
  }
  assert.ok(tried > 1000)
  t.diagnostic(`${tried} changed characters, all refused`)
})

test('a chain whose receipts no token can carry is refused, not cut', async (t) => {
  const world = await startDelegation(t)
  let token = await world.issued(world.exchangeForm({ scope: 'trades:read trades:write' }))
  for (let hop = 0; ; hop += 1) {
    assert.ok(hop < 10, 'the limit comes')
    const { status, body } = await world.ask(
      world.exchangeForm({ subject_token: token, subject_token_type: ACCESS_TOKEN }),
    )
    if (status === 200) {
      token = String(body['access_token'])
      continue
    }
    assert.equal(body['error'], 'invalid_request')
    assert.equal(world.events().at(-1)?.reason, 'chain_oversized' satisfies Reason)
    return
  }
})
