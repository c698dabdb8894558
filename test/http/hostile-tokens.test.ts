/**
 * Tokens in places where they do not belong (RFC 8693 §2.2.2): each position, one thing wrong per row. The caller hears
 * one of few answers, and never whether a token was unknown or merely wrong.
 */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Reason } from '../../src/refusal.ts'
import {
  ACCESS_TOKEN,
  CHAT,
  CORP,
  type DelegationWorld,
  HELPER,
  ID_TOKEN,
  JWT,
  startDelegation,
} from '../world/delegation.ts'
import { signer } from '../world/keys.ts'

type Form = Readonly<Record<string, string>>
type Row = readonly [
  title: string,
  form: (world: DelegationWorld) => Form | Promise<Form>,
  reason: Reason,
  answer: string,
]

/** A subject token of our own: Alice’s authority with the planner. */
const ours = (world: DelegationWorld, change: Readonly<Record<string, string>> = {}) =>
  world.issued(world.exchangeForm(change))

/** Uses our own token as subject token, by another workload. */
const own = async (
  world: DelegationWorld,
  change: Readonly<Record<string, string | null>>,
  first: Readonly<Record<string, string>> = {},
) =>
  world.exchangeForm({
    subject_token: await ours(world, first),
    subject_token_type: ACCESS_TOKEN,
    ...change,
  })

const user =
  (change: (claims: Record<string, unknown>, header: Record<string, unknown>) => void) =>
  (world: DelegationWorld) =>
    world.exchangeForm({
      subject_token: world.idToken(({ claims, header }) => change(claims, header)),
    })

const SUBJECTS: readonly Row[] = [
  [
    'no JWT',
    (w) => w.exchangeForm({ subject_token: 'x.y.z' }),
    'token_malformed',
    'invalid_request',
  ],
  [
    'an issuer that nobody knows',
    user((c) => Object.assign(c, { iss: 'https://evil.example' })),
    'issuer_untrusted',
    'invalid_request',
  ],
  [
    'a platform’s token: workloads are actors',
    (w) => w.exchangeForm({ subject_token: w.actor('helper'), subject_token_type: JWT }),
    'issuer_untrusted',
    'invalid_request',
  ],
  [
    'a person’s token that is over',
    user((c) => Object.assign(c, { iat: 1, exp: 2 })),
    'token_expired',
    'invalid_request',
  ],
  [
    'one that is not valid yet',
    user((c) => Object.assign(c, { nbf: Number(c['iat']) + 3600 })),
    'token_premature',
    'invalid_request',
  ],
  [
    'one that lives too long',
    user((c) => Object.assign(c, { exp: Number(c['iat']) + 90_000 })),
    'lifetime_excessive',
    'invalid_request',
  ],
  [
    'one for another application',
    user((c) => Object.assign(c, { aud: 'other-app' })),
    'audience_wrong',
    'invalid_request',
  ],
  [
    'one for another application, too',
    user((c) => Object.assign(c, { aud: ['chat-app', 'other-app'] })),
    'audience_wrong',
    'invalid_request',
  ],
  ['one for nobody', user((c) => delete c['aud']), 'audience_wrong', 'invalid_request'],
  ['one of nobody', user((c) => delete c['sub']), 'claim_invalid', 'invalid_request'],
  [
    'one whose sub walks up a path',
    user((c) => Object.assign(c, { sub: '..' })),
    'claim_invalid',
    'invalid_request',
  ],
  [
    'one whose groups are no list',
    user((c) => Object.assign(c, { groups: 'traders' })),
    'claim_invalid',
    'invalid_request',
  ],
  [
    'one with more groups than can be',
    user((c) => Object.assign(c, { groups: Array(501).fill('g') })),
    'claim_invalid',
    'invalid_request',
  ],
  [
    'one whose groups no token can carry',
    user((c) =>
      Object.assign(c, {
        groups: Array.from({ length: 200 }, (_, n) => `traders-of-${n}`).concat('traders'),
      }),
    ),
    'user_oversized',
    'invalid_request',
  ],
  [
    'one of a key that is not the provider’s',
    (w) =>
      w.exchangeForm({
        subject_token: w.cluster.sign(
          {
            header: { alg: 'RS256', kid: w.corp.kid },
            claims: {
              iss: CORP,
              sub: 'alice',
              aud: 'chat-app',
              iat: w.clock.seconds(),
              exp: w.clock.seconds() + 60,
            },
          },
          signer('mallory'),
        ),
      }),
    'signature_invalid',
    'invalid_request',
  ],
  [
    'one of a key that nobody published',
    user((_, h) => Object.assign(h, { kid: 'other' })),
    'key_unknown',
    'invalid_request',
  ],
  [
    'one without a signature',
    user((_, h) => Object.assign(h, { alg: 'none' })),
    'algorithm_refused',
    'invalid_request',
  ],
  [
    'one signed with the public key',
    user((_, h) => Object.assign(h, { alg: 'HS256' })),
    'algorithm_refused',
    'invalid_request',
  ],
  [
    'an access token said to be an ID token',
    user((c) => Object.assign(c, { scope: 'openid' })),
    'type_refused',
    'invalid_request',
  ],
  [
    'an ID token said to be an access token',
    (w) => w.exchangeForm({ subject_token_type: ACCESS_TOKEN }),
    'type_refused',
    'invalid_request',
  ],
  [
    'an ID-JAG, which this provider is not taken for',
    (w) => w.exchangeForm({ subject_token_type: 'urn:ietf:params:oauth:token-type:id-jag' }),
    'type_refused',
    'invalid_request',
  ],
  [
    'a SAML assertion',
    (w) => w.exchangeForm({ subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }),
    'type_refused',
    'invalid_request',
  ],
  [
    'a logout token',
    user((_, h) => Object.assign(h, { typ: 'logout+jwt' })),
    'type_refused',
    'invalid_request',
  ],
  [
    'one that is bound to a key',
    user((c) => Object.assign(c, { cnf: { jkt: 'x' } })),
    'subject_unusable',
    'invalid_request',
  ],
  [
    'one bound in a way that is not known',
    user((c) => Object.assign(c, { cnf: { kid: 'x' } })),
    'claim_invalid',
    'invalid_request',
  ],
  [
    'a chain that is no chain',
    user((c) => Object.assign(c, { act: 'somebody' })),
    'claim_invalid',
    'invalid_request',
  ],
  [
    'a chain of actors without names',
    user((c) => Object.assign(c, { act: { iss: CORP } })),
    'claim_invalid',
    'invalid_request',
  ],
  [
    'a chain as long as delegation allows already',
    user((c) => Object.assign(c, { act: chainOf(4) })),
    'chain_too_deep',
    'invalid_request',
  ],
  [
    'a chain longer than anybody reads',
    user((c) => Object.assign(c, { act: chainOf(14) })),
    'chain_too_deep',
    'invalid_request',
  ],
  [
    'our own token, seen by another agent',
    (w) => own(w, { actor_token: w.actor('helper') }),
    'subject_unusable',
    'invalid_request',
  ],
  [
    'our own token, given to another agent than it names',
    (w) => own(w, { actor_token: w.actor('third') }, { may_act: HELPER }),
    'subject_unusable',
    'invalid_request',
  ],
  [
    'our own token, seen by a server that it is not for',
    (w) => own(w, { actor_token: w.actor('chat') }),
    'subject_unusable',
    'invalid_request',
  ],
  [
    'our own token, over',
    async (w) => {
      const form = await own(w, {})
      w.clock.advance(901)
      return { ...form, actor_token: w.actor('planner') }
    },
    'token_expired',
    'invalid_request',
  ],
  [
    'our own token, said to be an ID token',
    (w) => own(w, { subject_token_type: ID_TOKEN }),
    'type_refused',
    'invalid_request',
  ],
  [
    'our own token, changed',
    async (w) => {
      const form = await own(w, {})
      return { ...form, subject_token: flipped(form['subject_token'] ?? '') }
    },
    'signature_invalid',
    'invalid_request',
  ],
  [
    'our own token, for a resource that nothing leads to',
    (w) => own(w, { resource: CHAT, scope: null }),
    'target_unreachable',
    'invalid_target',
  ],
  [
    'our own token, for scopes that it has not',
    (w) => own(w, { scope: 'trades:write' }),
    'scope_exceeded',
    'invalid_scope',
  ],
  [
    'an ID token without a scope',
    (w) => w.exchangeForm({ scope: null }),
    'parameter_missing',
    'invalid_request',
  ],
  [
    'no subject token',
    (w) => w.exchangeForm({ subject_token: null }),
    'parameter_missing',
    'invalid_request',
  ],
  [
    'no subject token type',
    (w) => w.exchangeForm({ subject_token_type: null }),
    'parameter_missing',
    'invalid_request',
  ],
]

const ACTORS: readonly Row[] = [
  [
    'none: a subject token alone yields nothing',
    (w) => w.exchangeForm({ actor_token: null, actor_token_type: null }),
    'parameter_missing',
    'invalid_request',
  ],
  [
    'a type without a token',
    (w) => w.exchangeForm({ actor_token: null }),
    'parameter_missing',
    'invalid_request',
  ],
  [
    'a token without a type',
    (w) => w.exchangeForm({ actor_token_type: null }),
    'parameter_missing',
    'invalid_request',
  ],
  [
    'a token of a type that is none here',
    (w) => w.exchangeForm({ actor_token_type: ID_TOKEN }),
    'parameter_malformed',
    'invalid_request',
  ],
  [
    'a person',
    (w) => w.exchangeForm({ actor_token: w.idToken() }),
    'issuer_untrusted',
    'invalid_request',
  ],
  [
    'the subject token itself',
    async (w) => {
      const token = await ours(w)
      return w.exchangeForm({
        subject_token: token,
        subject_token_type: ACCESS_TOKEN,
        actor_token: token,
      })
    },
    'type_refused',
    'invalid_request',
  ],
  [
    'a workload whose token is over',
    async (w) => {
      const actor_token = w.actor('planner')
      w.clock.advance(601)
      return w.exchangeForm({ actor_token })
    },
    'token_expired',
    'invalid_request',
  ],
  [
    'a workload of another cluster',
    (w) =>
      w.exchangeForm({
        actor_token: w.cluster.mint(({ claims }) =>
          Object.assign(claims, { iss: 'https://other.example' }),
        ),
      }),
    'issuer_untrusted',
    'invalid_request',
  ],
  [
    'a token for the API server',
    (w) =>
      w.exchangeForm({
        actor_token: w.cluster.mint(({ claims }) =>
          Object.assign(claims, { aud: ['https://kubernetes.default.svc'] }),
        ),
      }),
    'token_foreign',
    'invalid_request',
  ],
  [
    'an actor beside a client',
    (w) =>
      w.exchangeForm({
        client_assertion: w.actor('planner'),
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }),
    'credentials_ambiguous',
    'invalid_request',
  ],
  [
    'a bad client assertion',
    (w) =>
      w.exchangeForm({
        actor_token: null,
        actor_token_type: null,
        client_assertion: w.idToken(),
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }),
    'issuer_untrusted',
    'invalid_client',
  ],
  [
    'an assertion, which is another grant',
    (w) => w.exchangeForm({ assertion: w.actor('planner') }),
    'credentials_ambiguous',
    'invalid_request',
  ],
]

const ASSERTIONS: readonly Row[] = [
  [
    'our own token',
    async (w) => w.form({ assertion: await ours(w) }),
    'type_refused',
    'invalid_grant',
  ],
  [
    'a person’s token',
    (w) => w.form({ assertion: w.idToken() }),
    'issuer_untrusted',
    'invalid_grant',
  ],
]

function chainOf(depth: number): object {
  const self = { iss: CORP, sub: `agent-${depth}` }
  return depth === 1 ? self : { ...self, act: chainOf(depth - 1) }
}

/** Another character in the middle of the signature. */
function flipped(token: string): string {
  const at = token.lastIndexOf('.') + 20
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
}

async function assertRefused(t: TestContext, [, form, reason, answer]: Row): Promise<void> {
  const world = await startDelegation(t)
  const { status, body } = await world.ask(await form(world))
  const event = world.events().at(-1)
  assert.deepEqual(
    { status, error: body['error'], reason: event?.reason ?? reasonLogged(world) },
    { status: answer === 'invalid_client' ? 401 : 400, error: answer, reason },
    JSON.stringify(event?.detail),
  )
}

/** A form that is none never becomes a request that is audited. */
function reasonLogged(world: DelegationWorld): string | undefined {
  return /"reason":"(\w+)"/.exec(world.written())?.[1]
}

for (const [position, rows] of Object.entries({
  subject: SUBJECTS,
  actor: ACTORS,
  assertion: ASSERTIONS,
})) {
  for (const row of rows) test(`as ${position}: ${row[0]}`, (t) => assertRefused(t, row))
}

test('what was wrong with a subject token is not told apart', async (t) => {
  const world = await startDelegation(t)
  const said = new Set<string>()
  for (const [, form, reason] of SUBJECTS) {
    if (
      ![
        'issuer_untrusted',
        'signature_invalid',
        'key_unknown',
        'token_expired',
        'audience_wrong',
        'subject_unusable',
      ].includes(reason)
    )
      continue
    const { body } = await world.ask(await form(world))
    said.add(JSON.stringify([body['error'], body['error_description']]))
  }
  assert.equal(said.size, 1, [...said].join('\n'))
})
