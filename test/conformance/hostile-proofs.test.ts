/**
 * Hostile proofs as their sender sees them, at the token endpoint and at a resource server: one and the same answer,
 * whatever is wrong. Nothing is burned by them: at the token endpoint the platform token beside them is good for one
 * token, and is used afterwards.
 */

import assert from 'node:assert/strict'
import { hash, randomUUID } from 'node:crypto'
import { suite, type TestContext, test } from 'node:test'
import { REASONS, type Reason } from '../../src/refusal.ts'
import { InvalidToken, verifier } from '../../src/resource/index.ts'
import { RESOURCE, startBroker } from '../world/broker.ts'
import { holder, type ProofDraft } from '../world/proof.ts'
import { HOSTILE, OTHER, type Row, type Scene } from './hostileproofs.ts'

/** The good proof of a scene, not signed. */
function draftOf(good: Scene['good']): ProofDraft {
  const seen: ProofDraft[] = []
  good((made) => void seen.push(made))
  return seen[0] ?? assert.fail()
}

/** One broker whose platform tokens are good for one use; each row gets a token of its own. */
async function stage(t: TestContext) {
  const world = await startBroker(t, { trust: { replay: 'once' } })
  const url = `${world.issuer}/token`
  const key = holder()
  const form = (change: Record<string, string> = {}) => {
    const assertion = world.cluster.mint(({ claims }) => {
      claims['jti'] = randomUUID()
    })
    return world.form({ assertion, ...change })
  }
  async function send(sent: Record<string, string>, dpop: string) {
    const response = await world.app.inject({
      method: 'POST',
      url: new URL(url).pathname,
      headers: { 'content-type': 'application/x-www-form-urlencoded', dpop },
      payload: new URLSearchParams(sent).toString(),
    })
    const { request_id: id, ...body } = response.json<Record<string, unknown>>()
    const reason = world.events().find((event) => event.id === id)?.reason
    return { status: response.statusCode, body, reason, headers: response.headers }
  }
  const nonce = world.broker.newNonce()
  const good: Scene['good'] = (change) =>
    key.prove({ url, at: world.clock.seconds(), nonce }, change)
  const scene: Scene = {
    url,
    at: world.clock.seconds.bind(world.clock),
    foreign: () => world.cluster.mint(),
    key,
    good,
    draft: () => draftOf(good),
  }
  return { world, key, nonce, form, send, scene }
}

const REFUSED = {
  status: 400,
  body: { error: 'invalid_dpop_proof', error_description: REASONS.proof_malformed.sentence },
}

test('hostile proofs: one answer for all, nothing is burned, nothing breaks', async (t) => {
  const { world, form, send, scene } = await stage(t)
  for (const [what, dpop, reason] of HOSTILE) {
    await t.test(`${what}: ${reason}`, async () => {
      const sent = form()
      const { headers: _, ...refused } = await send(sent, dpop(scene))
      assert.deepEqual(refused, { ...REFUSED, reason })
      assert.equal((await send(sent, scene.good())).status, 200, 'the token is still good')
    })
  }
  assert.doesNotMatch(world.written(), /internal error/)
})

suite('a proof that was good', () => {
  test('is refused the second time, whatever is beside it, and as any other', async (t) => {
    const { form, send, scene } = await stage(t)
    const dpop = scene.good()
    assert.equal((await send(form(), dpop)).status, 200)
    const { headers: _, ...refused } = await send(form(), dpop)
    assert.deepEqual(refused, { ...REFUSED, reason: 'proof_replayed' })
  })

  test('is good again when its request was refused for something else', async (t) => {
    const { form, send, scene } = await stage(t)
    const dpop = scene.good()
    assert.equal((await send(form({ scope: 'trades:delete' }), dpop)).status, 400)
    assert.equal((await send(form(), dpop)).status, 200)
  })

  test('of another key than the request names is refused as any other', async (t) => {
    const { form, send, scene } = await stage(t)
    const { headers: _, ...refused } = await send(form({ dpop_jkt: OTHER.jkt }), scene.good())
    assert.deepEqual(refused, { ...REFUSED, reason: 'proof_mismatched' })
    assert.equal((await send(form({ dpop_jkt: scene.key.jkt }), scene.good())).status, 200)
  })
})

/** Nonces are told apart from all else, and not from each other: the client has to come again with ours. */
const NONCES: readonly (readonly [string, (nonce: string) => string | undefined, Reason])[] = [
  ['none', () => undefined, 'nonce_missing'],
  ['an empty one', () => '', 'nonce_stale'],
  ['one of our form, made up', (nonce) => 'A'.repeat(nonce.length), 'nonce_stale'],
  [
    'ours, with one bit changed',
    (nonce) => `${nonce[0] === 'A' ? 'B' : 'A'}${nonce.slice(1)}`,
    'nonce_stale',
  ],
  ['ours, cut', (nonce) => nonce.slice(0, -1), 'nonce_stale'],
  ['ours, twice', (nonce) => nonce + nonce, 'nonce_stale'],
]

test('hostile nonces: one answer, with the nonce to use', async (t) => {
  const { form, send, scene, nonce } = await stage(t)
  for (const [what, change, reason] of NONCES) {
    await t.test(`${what}: ${reason}`, async () => {
      const dpop = scene.good(({ claims }) => Object.assign(claims, { nonce: change(nonce) }))
      const { headers, ...refused } = await send(form(), dpop)
      const body = { error: 'use_dpop_nonce', error_description: REASONS.nonce_missing.sentence }
      assert.deepEqual(refused, { status: 400, body, reason })
      assert.equal(headers['dpop-nonce'], nonce)
    })
  }
})

test('a proof that is wrong is refused before its nonce is asked for', async (t) => {
  const { form, send, scene } = await stage(t)
  const dpop = scene.good(({ claims }) => Object.assign(claims, { nonce: undefined, htm: 'GET' }))
  assert.equal((await send(form(), dpop)).reason, 'proof_mismatched')
})

/** What only a resource server looks at: the access token that the proof has to be made for (RFC 9449 §4.3). */
const BESIDE_TOKENS: readonly Row[] = [
  ['no ath', ({ good }) => good(({ claims }) => delete claims['ath']), 'proof_mismatched'],
  [
    'the ath of another token',
    ({ good }) => good(({ claims }) => Object.assign(claims, { ath: digest('another') })),
    'proof_mismatched',
  ],
  [
    'an ath in hexadecimal',
    ({ good }) =>
      good(({ claims }) => {
        claims['ath'] = Buffer.from(String(claims['ath']), 'base64url').toString('hex')
      }),
    'proof_mismatched',
  ],
  [
    'an ath that is a number',
    ({ good }) => good(({ claims }) => Object.assign(claims, { ath: 1 })),
    'proof_malformed',
  ],
]

const digest = (token: string) => hash('sha256', token, 'base64url')

test('hostile proofs beside a bound token: a resource server gives one answer for all', async (t) => {
  const { world, form, send, scene, key } = await stage(t)
  const { body } = await send(form(), scene.good())
  const token = String(body['access_token'])
  const verify = verifier({
    issuer: world.issuer,
    audience: RESOURCE,
    now: world.clock.now,
    fetch: async () => Response.json((await world.app.inject('/jwks')).json()),
  })
  const url = `${RESOURCE}/trades`
  const good: Scene['good'] = (change) =>
    key.prove({ method: 'GET', url, at: world.clock.seconds(), ath: digest(token) }, change)
  const here: Scene = { ...scene, url, foreign: () => token, good, draft: () => draftOf(good) }
  const show = (dpop: string) => {
    const headers = { authorization: `DPoP ${token}`, dpop }
    return verify({ method: 'GET', url: '/trades', headers })
  }
  const answers = new Set<string | undefined>()
  for (const [what, dpop, reason] of [...HOSTILE, ...BESIDE_TOKENS]) {
    await t.test(`${what}: ${reason}`, async () => {
      const hostile = dpop(here)
      await assert.rejects(show(hostile), (refusal) => {
        assert.ok(refusal instanceof InvalidToken, String(refusal))
        // For the server's log; the caller gets the headers.
        assert.equal(refusal.message, reason)
        answers.add(refusal.headers['WWW-Authenticate'])
        return true
      })
      await show(good())
    })
  }
  assert.equal(answers.size, 1)
  assert.match([...answers].join(), /^DPoP error="invalid_dpop_proof"/)
})
