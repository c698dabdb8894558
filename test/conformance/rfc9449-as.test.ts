/** RFC 9449 §5, §8, §10 and §11 at the token endpoint: who gets a token that is bound to a key, and what is said to others. */

import assert from 'node:assert/strict'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { PROOF_ALGORITHMS } from '../../src/dpop.ts'
import {
  type BrokerOptions,
  RESOURCE,
  startBroker,
  type TestBroker,
  type TokenAnswer,
} from '../world/broker.ts'
import { holder, type ProofDraft } from '../world/proof.ts'

const me = holder()

/** A broker, and a client that has a nonce of it. */
async function stage(t: TestContext, options: BrokerOptions = {}) {
  const world = await startBroker(t, options)
  const url = `${world.issuer}/token`
  const prove = (change?: (draft: ProofDraft) => void, nonce: string | null = nonceOf(world)) =>
    me.prove({ url, at: world.clock.seconds(), ...(nonce !== null && { nonce }) }, change)
  const ask = (dpop: string, change: Readonly<Record<string, string>> = {}) =>
    world.ask(world.form(change), { dpop })
  return { world, url, prove, ask }
}

function nonceOf({ broker }: TestBroker): string {
  return broker.newNonce()
}

function assertRefused(answer: TokenAnswer, error: string, world: TestBroker, reason: string) {
  assert.deepEqual([answer.status, answer.body['error']], [400, error])
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.equal(world.events().at(-1)?.reason, reason)
  assert.equal('access_token' in answer.body, false)
}

test('§5 (1) with a good proof the token is bound to its key, and the answer says so', async (t) => {
  const { world, prove, ask } = await stage(t)
  const { status, body } = await ask(prove())
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(body['token_type'], 'DPoP')
  assert.deepEqual(decodeJwt(String(body['access_token']))['cnf'], { jkt: me.jkt })
  assert.equal(world.events()[0]?.question?.sender, 'dpop')
})

test('§5 (2) with a bad proof there is no token, not even a bearer token', async (t) => {
  const { world, url, prove, ask } = await stage(t)
  const late = me.prove({ url, at: world.clock.seconds() - 60, nonce: nonceOf(world) })
  const twice = `${prove()}, ${prove()}`
  for (const [proof, reason] of [
    ['', 'proof_malformed'],
    ['x', 'proof_malformed'],
    [twice, 'proof_malformed'],
    [late, 'proof_expired'],
    [prove((draft) => Object.assign(draft.claims, { htm: 'GET' })), 'proof_mismatched'],
    [prove((draft) => Object.assign(draft.claims, { iat: 4e9 })), 'proof_premature'],
    [prove((draft) => Object.assign(draft.header, { alg: 'HS256' })), 'proof_key_refused'],
    [`${prove().slice(0, -8)}AAAAAAAA`, 'proof_signature_invalid'],
  ] as const) {
    assertRefused(await ask(proof), 'invalid_dpop_proof', world, reason)
  }
  assert.equal(new Set(world.events().map(({ token }) => token)).size, 1)
})

test('§5 (3) what is wrong with a proof is not told to whoever sent it', async (t) => {
  const { prove, ask } = await stage(t)
  const bad = [
    prove((draft) => Object.assign(draft.claims, { htu: 'https://rs.example' })),
    prove((draft) => Object.assign(draft.header, { jwk: holder('another').jwk })),
    'x',
  ]
  const said = new Set<string>()
  for (const proof of bad) said.add(String((await ask(proof)).body['error_description']))
  assert.deepEqual([...said], ['The DPoP proof was not accepted.'])
})

test('§4.1 two headers of the name are refused, as they come over the wire', async (t) => {
  const { world, prove } = await stage(t)
  await world.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = world.app.server.address() as AddressInfo
  const status = await new Promise((resolve, reject) => {
    const sent = request(
      {
        port,
        path: '/token',
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          dpop: [prove(), prove()],
        },
      },
      (response) => resolve(response.resume().statusCode),
    )
    sent.on('error', reject)
    sent.end(new URLSearchParams(world.form()).toString())
  })
  assert.equal(status, 400)
  assert.equal(world.events()[0]?.reason, 'proof_malformed')
})

test('§4.3 (9) the proof names the configured URL; what the Host header says counts for nothing', async (t) => {
  const { world, prove } = await stage(t)
  const headers = { host: 'evil.example' }
  const good = await world.ask(world.form(), { ...headers, dpop: prove() })
  assert.equal(good.status, 200)
  const forHost = prove((draft) =>
    Object.assign(draft.claims, { htu: 'https://evil.example/token' }),
  )
  const answer = await world.ask(world.form(), { ...headers, dpop: forHost })
  assertRefused(answer, 'invalid_dpop_proof', world, 'proof_mismatched')
})

test('an issuer with a path has its proofs for its own token endpoint', async (t) => {
  const { ask, prove } = await stage(t, { issuer: 'https://countersign.test/tenant1' })
  assert.equal((await ask(prove())).status, 200)
})

test('§5.1 the metadata lists the algorithms of proofs', async (t) => {
  const { world } = await stage(t)
  const document = (await world.app.inject('/.well-known/oauth-authorization-server')).json()
  assert.deepEqual(document.dpop_signing_alg_values_supported, PROOF_ALGORITHMS)
})

test('§8 a proof without a nonce is told one, and accepted with it', async (t) => {
  const { world, prove, ask } = await stage(t)
  const answer = await ask(prove(undefined, null))
  assertRefused(answer, 'use_dpop_nonce', world, 'nonce_missing')
  assert.equal(answer.headers['access-control-allow-origin'], '*')
  assert.match(String(answer.headers['access-control-expose-headers']), /\bdpop-nonce\b/)
  const nonce = String(answer.headers['dpop-nonce'])
  assert.equal((await ask(prove(undefined, nonce))).status, 200)
})

test('§8.1 a nonce has the characters that it may have', async (t) => {
  const { world } = await stage(t)
  assert.match(nonceOf(world), /^[\x21\x23-\x5b\x5d-\x7e]+$/)
})

test('§8.2 every answer to a proof brings the nonce of the next; the one before is taken for a while', async (t) => {
  const { world, prove, ask } = await stage(t)
  const offered = async (dpop: string) => String((await ask(dpop)).headers['dpop-nonce'])
  const first = await offered(prove())
  assert.equal(await offered('x'), first, 'a refusal brings it, too')
  world.clock.advance(61)
  const second = await offered(prove(undefined, first))
  assert.notEqual(second, first)
  assert.equal(world.events().at(-1)?.outcome, 'issued')
  world.clock.advance(60)
  assertRefused(await ask(prove(undefined, first)), 'use_dpop_nonce', world, 'nonce_stale')
  assert.equal('dpop-nonce' in (await world.ask(world.form())).headers, false, 'but bearers none')
})

test('§11.3 once there are nonces, no proof is taken without one, nor with one of somebody else', async (t) => {
  const { world, prove, ask } = await stage(t)
  const foreign = nonceOf(await startBroker(t))
  for (const [nonce, reason] of [
    [null, 'nonce_missing'],
    ['', 'nonce_stale'],
    [foreign, 'nonce_stale'],
    [world.broker.newChallenge(), 'nonce_stale'],
  ] as const) {
    const answer = await ask(prove(undefined, nonce))
    assertRefused(answer, 'use_dpop_nonce', world, reason)
    assert.equal(answer.headers['dpop-nonce'], nonceOf(world))
  }
})

test('replicas take each other’s nonces', async (t) => {
  const settings = { keys: { secret: 'a secret of at least thirty-two characters' } }
  const { ask, prove } = await stage(t, { settings })
  const other = await startBroker(t, { settings })
  assert.equal((await ask(prove(undefined, nonceOf(other)))).status, 200)
})

test('§11.1 a proof is good for one token, also at once; one of a refused request stays good', async (t) => {
  const { world, prove, ask } = await stage(t)
  const proof = prove()
  assert.equal((await ask(proof, { scope: 'trades:delete' })).body['error'], 'invalid_scope')
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask(proof)))
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  assertRefused(await ask(proof), 'invalid_dpop_proof', world, 'proof_replayed')
})

test('§11.1 the jti of one key says nothing about another’s', async (t) => {
  const { world, url, prove, ask } = await stage(t)
  const same = (draft: ProofDraft) => Object.assign(draft.claims, { jti: 'same' })
  const saying = { url, at: world.clock.seconds(), nonce: nonceOf(world) }
  for (const proof of [prove(same), holder('another').prove(saying, same)]) {
    assert.equal((await ask(proof)).status, 200)
  }
})

test('§10 (1) with dpop_jkt the token is bound to that key or there is none', async (t) => {
  const { world, prove, ask } = await stage(t)
  assert.equal((await ask(prove(), { dpop_jkt: me.jkt })).status, 200)
  const other = await ask(prove(), { dpop_jkt: holder('another').jkt })
  assertRefused(other, 'invalid_dpop_proof', world, 'proof_mismatched')
  const unproved = await world.ask(world.form({ dpop_jkt: me.jkt }))
  assertRefused(unproved, 'invalid_dpop_proof', world, 'proof_missing')
})

test('a scope that demands dpop is granted with it, and withheld without', async (t) => {
  const { world, prove, ask } = await stage(t)
  const scope = 'trades:read trades:write'
  assert.equal((await ask(prove(), { scope })).body['scope'], scope)
  assert.equal((await world.ask(world.form({ scope }))).body['scope'], 'trades:read')
  const rulings = world
    .events()
    .at(-1)
    ?.decision?.rulings.map(({ result }) => result)
  assert.deepEqual(rulings, ['permitted', 'sender_unmet'])
})

test('a resource that demands dpop is served with it, and one that demands mtls is not', async (t) => {
  for (const [sender, status] of [
    ['dpop', 200],
    ['mtls', 400],
  ] as const) {
    const resources = [{ audience: RESOURCE, scopes: ['trades:read', 'trades:write'], sender }]
    const { prove, ask } = await stage(t, { settings: { resources } })
    assert.equal((await ask(prove())).status, status, sender)
  }
})

test('no proof reaches a log', async (t) => {
  const { world, prove, ask } = await stage(t)
  const proofs = [prove(), prove((draft) => Object.assign(draft.claims, { htm: 'GET' }))]
  for (const proof of proofs) await ask(proof)
  for (const proof of proofs) {
    for (const part of proof.split('.')) assert.equal(world.written().includes(part), false)
  }
})
