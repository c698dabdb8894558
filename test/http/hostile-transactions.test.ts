/** Transaction tokens that are not as they should be, or in places where they do not belong: one thing wrong per row. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Reason } from '../../src/refusal.ts'
import { RESOURCE } from '../world/broker.ts'
import { type ChainingWorld, startChaining, TXN_TOKEN } from '../world/chaining.ts'
import { ACCESS_TOKEN, CHAT_SERVER, ID_TOKEN, JWT } from '../world/delegation.ts'

type Row = readonly [
  title: string,
  form: (world: ChainingWorld) => Promise<Record<string, string>> | Record<string, string>,
  reason: Reason,
  error: string,
]

const REFUSED: readonly Row[] = [
  ['without a scope', (w) => w.txnForm({ scope: null }), 'parameter_missing', 'invalid_request'],
  [
    'without a trust domain',
    (w) => w.txnForm({ audience: null }),
    'resource_missing',
    'invalid_target',
  ],
  [
    'of another trust domain',
    (w) => w.txnForm({ audience: 'other.example' }),
    'resource_unknown',
    'invalid_target',
  ],
  [
    'for a resource of ours',
    (w) => w.txnForm({ audience: RESOURCE }),
    'resource_unknown',
    'invalid_target',
  ],
  [
    'for a resource besides',
    (w) => w.txnForm({ resource: RESOURCE }),
    'resource_repeated',
    'invalid_target',
  ],
  [
    'with a context that is no JSON',
    (w) => w.txnForm({ request_context: '{' }),
    'parameter_malformed',
    'invalid_request',
  ],
  [
    'with a context that is a list',
    (w) => w.txnForm({ request_context: '[]' }),
    'parameter_malformed',
    'invalid_request',
  ],
  [
    'with details that are null',
    (w) => w.txnForm({ request_details: 'null' }),
    'parameter_malformed',
    'invalid_request',
  ],
  [
    'with a name twice',
    (w) => w.txnForm({ request_details: '{"a":1,"a":2}' }),
    'parameter_malformed',
    'invalid_request',
  ],
  [
    'with details that are too deep',
    (w) => w.txnForm({ request_details: nested(9) }),
    'parameter_malformed',
    'invalid_request',
  ],
  [
    'with details that are too long',
    (w) => w.txnForm({ request_details: `{"a":"${'x'.repeat(2048)}"}` }),
    'parameter_malformed',
    'invalid_request',
  ],
  [
    'that lets another act',
    (w) => w.txnForm({ may_act: CHAT_SERVER }),
    'parameter_malformed',
    'invalid_request',
  ],
  [
    'of scopes that the access token does not become',
    async (w) =>
      w.txnForm({ subject_token: await w.issued(w.exchangeForm()), scope: 'trade.stocks' }),
    'scope_exceeded',
    'invalid_scope',
  ],
  [
    'of an ID token, whose scopes nobody knows',
    (w) => w.txnForm({ subject_token: w.idToken(), subject_token_type: ID_TOKEN }),
    'scope_exceeded',
    'invalid_scope',
  ],
  [
    'of an access token that another holds',
    (w) => w.txnForm({ actor_token: w.actor('helper') }),
    'subject_unusable',
    'invalid_request',
  ],
  [
    'replaced by a workload that is not of the domain',
    (w) => w.replaceForm({ actor_token: w.actor('helper') }),
    'subject_unusable',
    'invalid_request',
  ],
  [
    'replaced by one with more scopes',
    (w) => w.replaceForm({ scope: 'trade.stocks' }, { scope: 'trade.read' }),
    'scope_exceeded',
    'invalid_scope',
  ],
  [
    'replaced with another context',
    (w) => w.replaceForm({ request_context: '{"req_ip":"10.0.0.1"}' }),
    'parameter_malformed',
    'invalid_request',
  ],
  [
    'replaced with the same details again',
    (w) => w.replaceForm({ request_details: '{"action":"BUY"}' }),
    'parameter_malformed',
    'invalid_request',
  ],
  [
    'replaced when it is over',
    async (w) => {
      const form = await w.replaceForm()
      w.clock.advance(301)
      return { ...form, actor_token: w.actor('chat') }
    },
    'token_expired',
    'invalid_request',
  ],
  [
    'replaced after it was changed',
    async (w) => {
      const form = await w.replaceForm()
      return { ...form, subject_token: flipped(form['subject_token'] ?? '') }
    },
    'signature_invalid',
    'invalid_request',
  ],
  [
    'of an access token that is said to be one',
    (w) => w.txnForm({ subject_token_type: TXN_TOKEN }),
    'type_refused',
    'invalid_request',
  ],
  [
    'of one that is said to be an access token',
    (w) => w.replaceForm({ subject_token_type: ACCESS_TOKEN }),
    'type_refused',
    'invalid_request',
  ],
  [
    'of one that is said to be a JWT',
    (w) => w.replaceForm({ subject_token_type: JWT }),
    'type_refused',
    'invalid_request',
  ],
  [
    'exchanged for an access token',
    (w) =>
      w.replaceForm({
        requested_token_type: null,
        audience: null,
        resource: RESOURCE,
        scope: 'trades:read',
      }),
    'target_unreachable',
    'invalid_target',
  ],
  [
    'exchanged for an ID-JAG',
    (w) =>
      w.replaceForm({
        requested_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
        audience: 'https://as.partner.example',
        resource: 'https://orders.partner.example',
        scope: 'orders:read',
      }),
    'target_unreachable',
    'invalid_target',
  ],
  [
    'shown as an actor',
    async (w) => w.exchangeForm({ actor_token: await w.issued(await w.txnForm()) }),
    'type_refused',
    'invalid_request',
  ],
  [
    'shown as an assertion',
    async (w) => w.form({ assertion: await w.issued(await w.txnForm()) }),
    'type_refused',
    'invalid_grant',
  ],
  [
    'of an ID-JAG',
    (w) =>
      w.txnForm({
        subject_token: w.idJag(),
        subject_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
      }),
    'subject_unusable',
    'invalid_request',
  ],
]

for (const [title, form, reason, error] of REFUSED) {
  test(`refused: a transaction token ${title}`, async (t) => {
    const world = await startChaining(t)
    const { status, body } = await world.ask(await form(world))
    const event = world.events().at(-1)
    const found = event?.outcome === 'refused' ? event.reason : reasonLogged(world)
    assert.deepEqual(
      { status, error: body['error'], reason: found },
      { status: 400, error, reason },
      JSON.stringify(event?.detail),
    )
  })
}

/** A form that is none never becomes a request that is audited. */
function reasonLogged(world: ChainingWorld): string | undefined {
  return [...world.written().matchAll(/"reason":"(\w+)"/g)].at(-1)?.[1]
}

function nested(depth: number): string {
  return `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
}

/** Another character in the middle of the signature. */
function flipped(token: string): string {
  const at = token.lastIndexOf('.') + 20
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
}
