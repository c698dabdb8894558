/**
 * ID-JAGs that are not as they should be, one thing wrong per row, as `assertion` and as `subject_token`. The caller hears
 * invalid_grant of the one and invalid_request of the other, and never which thing it was.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Reason } from '../../src/refusal.ts'
import { RESOURCE } from '../world/broker.ts'
import { type ChainingWorld, ID_JAG, PLANNER, startChaining } from '../world/chaining.ts'
import { CHAT, CLIENT, CORP } from '../world/delegation.ts'
import type { Draft } from '../world/issuer.ts'
import { signer } from '../world/keys.ts'

type Made = (world: ChainingWorld) => string | Promise<string>
type Row = readonly [title: string, made: Made, reason: Reason]

const claiming =
  (change: Record<string, unknown>): Made =>
  (world) =>
    world.idJag(({ claims }) => Object.assign(claims, change))

const without =
  (claim: string): Made =>
  (world) =>
    world.idJag(({ claims }) => delete claims[claim])

const titled =
  (change: Record<string, unknown>): Made =>
  (world) =>
    world.idJag(({ header }) => Object.assign(header, change))

const BAD: readonly Row[] = [
  ['of an issuer that nobody knows', claiming({ iss: 'https://evil.example' }), 'issuer_untrusted'],
  ['of nobody', without('iss'), 'issuer_untrusted'],
  [
    'for another authorization server',
    claiming({ aud: 'https://as.other.example' }),
    'audience_wrong',
  ],
  ['for our token endpoint', claiming({ aud: 'https://countersign.test/token' }), 'audience_wrong'],
  ['for us with a slash', claiming({ aud: 'https://countersign.test/' }), 'audience_wrong'],
  ['for us and another', claiming({ aud: ['https://countersign.test', CLIENT] }), 'audience_wrong'],
  ['for a client of the provider', claiming({ aud: CLIENT }), 'audience_wrong'],
  ['for nobody', without('aud'), 'audience_wrong'],
  ['that is over', claiming({ iat: 1, exp: 2 }), 'token_expired'],
  ['without an end', without('exp'), 'claim_invalid'],
  ['without a beginning', without('iat'), 'claim_invalid'],
  ['from the future', claiming({ iat: 4_000_000_000, exp: 4_000_000_300 }), 'token_premature'],
  ['that lives for days', claiming({ exp: 4_000_000_000 }), 'lifetime_excessive'],
  ['about nobody', without('sub'), 'claim_invalid'],
  ['without a number', without('jti'), 'claim_invalid'],
  ['whose number is none', claiming({ jti: 7 }), 'claim_invalid'],
  ['for no client', without('client_id'), 'claim_invalid'],
  ['for several clients', claiming({ client_id: ['planner-at-corp'] }), 'claim_invalid'],
  ['for another client', claiming({ client_id: 'helper-at-corp' }), 'subject_unusable'],
  [
    'for a client named as an object has it',
    claiming({ client_id: 'constructor' }),
    'subject_unusable',
  ],
  ['for no resource', without('resource'), 'claim_invalid'],
  ['for a resource that is no URI', claiming({ resource: 'mcp' }), 'claim_invalid'],
  ['for two resources', claiming({ resource: [RESOURCE, CHAT] }), 'claim_invalid'],
  ['for another resource', claiming({ resource: CHAT }), 'subject_unusable'],
  ['whose scope is a list', claiming({ scope: ['trades:read'] }), 'claim_invalid'],
  ['with more scopes than can be', claiming({ scope: many(33) }), 'claim_invalid'],
  ['bound to a key that is not proved', claiming({ cnf: { jkt: 'x' } }), 'subject_unusable'],
  [
    'bound to a certificate that is not shown',
    claiming({ cnf: { 'x5t#S256': 'x' } }),
    'subject_unusable',
  ],
  ['bound in a way that is not known', claiming({ cnf: { kid: 'x' } }), 'claim_invalid'],
  ['with a chain that is none', claiming({ act: 'somebody' }), 'claim_invalid'],
  ['of a key that nobody published', titled({ kid: 'other' }), 'key_unknown'],
  ['without a signature', titled({ alg: 'none' }), 'algorithm_refused'],
  ['signed with the public key', titled({ alg: 'HS256' }), 'algorithm_refused'],
  ['that brings its key', titled({ jwk: { kty: 'RSA' } }), 'header_refused'],
  [
    'of another key',
    (world) => world.cluster.sign(draftOf(world), signer('mallory')),
    'signature_invalid',
  ],
  ['that somebody changed', async (world) => flipped(world.idJag()), 'signature_invalid'],
  ['of our own', (world) => world.issued(world.chainForm()), 'type_refused'],
  ['used already', spent, 'evidence_replayed'],
]

/** Those that are no ID-JAGs, or not said to be. */
const UNLIKE: readonly Row[] = [
  ['an ID token', (world) => world.idToken(), 'issuer_untrusted'],
  ['typ of a JWT', titled({ typ: 'JWT' }), 'issuer_untrusted'],
  ['no typ', titled({ typ: undefined }), 'issuer_untrusted'],
  ['typ of an access token', titled({ typ: 'at+jwt' }), 'type_refused'],
]

for (const [title, made, reason] of BAD) {
  test(`an ID-JAG ${title}`, async (t) => {
    const world = await startChaining(t)
    const token = await made(world)
    const granted = await world.ask(world.grantForm({ assertion: token }))
    const exchanged = await world.ask(world.grantExchange({ subject_token: token }))
    const [second, first] = world.events().toReversed()
    // A header that is not read says nothing of its kind: it is then just one credential too many.
    const unread = reason === 'header_refused'
    assert.deepEqual(
      [granted.status, granted.body['error'], exchanged.status, exchanged.body['error']],
      [400, unread ? 'invalid_request' : 'invalid_grant', 400, 'invalid_request'],
      JSON.stringify([first?.detail, second?.detail]),
    )
    assert.equal(second?.reason, reason, JSON.stringify(second?.detail))
    if (!unread) assert.equal(first?.reason, reason, JSON.stringify(first?.detail))
  })
}

for (const [title, made, reason] of UNLIKE) {
  test(`no ID-JAG: ${title}`, async (t) => {
    const world = await startChaining(t)
    const assertion = await made(world)
    const beside = await world.ask(world.grantForm({ assertion }))
    assert.deepEqual([beside.status, beside.body['error']], [400, 'invalid_request'])
    const alone = { assertion, client_assertion: null, client_assertion_type: null }
    const { status, body } = await world.ask(world.grantForm(alone))
    assert.deepEqual([status, body['error']], [400, 'invalid_grant'])
    assert.equal(world.events().at(-1)?.reason, reason)
    const shown = await world.ask(world.grantExchange({ subject_token: assertion }))
    assert.deepEqual([shown.status, shown.body['error']], [400, 'invalid_request'])
  })
}

test('a chain as long as delegation allows already, and one longer than anybody reads', async (t) => {
  const world = await startChaining(t)
  for (const depth of [4, 17]) {
    const assertion = await claiming({ act: chainOf(depth) })(world)
    const { status, body } = await world.ask(world.grantForm({ assertion }))
    assert.deepEqual([status, body['error']], [400, 'invalid_request'])
    assert.equal(world.events().at(-1)?.reason, 'chain_too_deep')
  }
})

test('without its client it yields nothing, and another client is told nothing either', async (t) => {
  const world = await startChaining(t)
  const alone = { client_assertion: null, client_assertion_type: null }
  const nobody = await world.ask(world.grantForm(alone))
  assert.deepEqual([nobody.status, nobody.body['error']], [401, 'invalid_client'])
  const other = { client_assertion: world.actor('helper') }
  const somebody = await world.ask(world.grantForm(other))
  assert.deepEqual([somebody.status, somebody.body['error']], [400, 'invalid_grant'])
  const itself = await world.ask(world.grantForm({ client_assertion: world.idJag() }))
  assert.deepEqual([itself.status, itself.body['error']], [401, 'invalid_client'])
})

test('beside it, client_id names the client as we or the ID-JAG do, and nobody else', async (t) => {
  const world = await startChaining(t)
  for (const client_id of [PLANNER, 'planner-at-corp']) {
    assert.equal((await world.ask(world.grantForm({ client_id }))).status, 200)
  }
  const { status, body } = await world.ask(world.grantForm({ client_id: 'somebody' }))
  assert.deepEqual([status, body['error']], [401, 'invalid_client'])
  assert.equal(world.events().at(-1)?.reason, 'client_mismatched')
})

test('it is nobody’s own credential, and no actor', async (t) => {
  const world = await startChaining(t)
  const actor_token = world.idJag()
  const { status, body } = await world.ask(world.exchangeForm({ actor_token }))
  assert.deepEqual([status, body['error']], [400, 'invalid_request'])
  assert.equal(world.events().at(-1)?.reason, 'type_refused')
})

test('scopes that it has not are invalid_scope, and it never becomes anything for others', async (t) => {
  const world = await startChaining(t)
  const assertion = await claiming({ scope: 'trades:read' })(world)
  const wide = await world.ask(world.grantForm({ assertion, scope: 'trades:write' }))
  assert.equal(wide.body['error'], 'invalid_scope')
  const none = await world.ask(
    world.grantForm({ assertion: await without('scope')(world), scope: 'trades:read' }),
  )
  assert.equal(none.body['error'], 'invalid_scope')
  const subject = { subject_token: world.idJag(), subject_token_type: ID_JAG }
  const onward = await world.ask(world.chainForm(subject))
  assert.equal(onward.body['error'], 'invalid_request')
  assert.equal(world.events().at(-1)?.reason, 'subject_unusable')
})

test('without a resource parameter, one for a resource that is not served is an invalid grant', async (t) => {
  const world = await startChaining(t)
  for (const resource of ['https://other.example', undefined, 7]) {
    const assertion = await claiming({ resource })(world)
    const { status, body } = await world.ask(world.grantForm({ assertion, resource: null }))
    assert.deepEqual([status, body['error']], [400, 'invalid_grant'])
    assert.equal(world.events().at(-1)?.reason, 'claim_invalid')
  }
})

test('what is wrong with one is not told apart', async (t) => {
  const world = await startChaining(t)
  const said = new Set<string>()
  for (const [, made, reason] of BAD) {
    if (reason === 'header_refused') continue
    const { body } = await world.ask(world.grantForm({ assertion: await made(world) }))
    said.add(JSON.stringify([body['error'], body['error_description']]))
  }
  assert.equal(said.size, 1, [...said].join())
})

function draftOf({ corp, clock }: ChainingWorld): Draft {
  const now = clock.seconds()
  return {
    header: { alg: 'RS256', kid: corp.kid, typ: 'oauth-id-jag+jwt' },
    claims: {
      iss: CORP,
      sub: 'alice',
      aud: 'https://countersign.test',
      client_id: 'planner-at-corp',
      resource: RESOURCE,
      jti: 'forged',
      iat: now,
      exp: now + 60,
    },
  }
}

async function spent(world: ChainingWorld): Promise<string> {
  const assertion = world.idJag()
  await world.issued(world.grantForm({ assertion }))
  return assertion
}

function many(count: number): string {
  return Array.from({ length: count }, (_, n) => `scope-${n}`).join(' ')
}

function chainOf(depth: number): object {
  const self = { iss: CORP, sub: `agent-${depth}` }
  return depth === 1 ? self : { ...self, act: chainOf(depth - 1) }
}

/** Another character in the middle of the signature. */
function flipped(token: string): string {
  const at = token.lastIndexOf('.') + 20
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
}
