/** RFC 9449 §6, §7 and §9 at a resource server that uses our verifier: who may use a token that is bound to a key. */

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import {
  InvalidToken,
  proofNonces,
  type ResourceRequest,
  replayMemory,
  type VerifierOptions,
  verifier,
} from '../../src/resource/index.ts'
import { RESOURCE, startBroker, WORKLOAD } from '../world/broker.ts'
import { holder, type ProofDraft } from '../world/proof.ts'

const me = holder()
const thief = holder('another')
const PATH = '/trades?day=1'
const HTU = `${RESOURCE}/trades`

/** A token that is bound to our key, one that is not, and a verifier. */
async function stage(t: TestContext, options: Partial<VerifierOptions> = {}) {
  const world = await startBroker(t)
  const at = world.clock.seconds()
  const dpop = me.prove({ url: `${world.issuer}/token`, at, nonce: world.broker.newNonce() })
  const bound = String((await world.ask(world.form(), { dpop })).body['access_token'])
  const plain = String((await world.ask(world.form())).body['access_token'])
  const verify = verifier({
    issuer: world.issuer,
    audience: RESOURCE,
    now: () => world.clock.now(),
    fetch: async () => Response.json((await world.app.inject('/jwks')).json()),
    ...options,
  })
  const ath = hash('sha256', bound, 'base64url')
  const prove = (change?: (draft: ProofDraft) => void, by = me) =>
    by.prove({ method: 'GET', url: HTU, at: world.clock.seconds(), ath }, change)
  const request = (headers: ResourceRequest['headers']) => ({ method: 'GET', url: PATH, headers })
  const show = (proof: string, authorization = `DPoP ${bound}`) =>
    verify(request({ authorization, dpop: proof }))
  return { world, verify, bound, plain, ath, prove, request, show }
}

async function assertRefused(work: Promise<unknown>, scheme: string, error: string | null) {
  try {
    await work
  } catch (refusal) {
    if (!(refusal instanceof InvalidToken)) throw refusal
    const said = refusal.headers['WWW-Authenticate'] ?? ''
    assert.ok(said.startsWith(scheme), said)
    assert.equal(/error="(\w+)"/.exec(said)?.[1] ?? null, error, refusal.message)
    return refusal.headers
  }
  assert.fail('accepted')
}

test('§7.1 (1) whoever proves the key of a token may use it', async (t) => {
  const { show, prove } = await stage(t)
  const { subject, headers } = await show(prove())
  assert.equal(subject, WORKLOAD)
  assert.deepEqual(headers, {})
})

test('a request of `fetch` is verified as one of Node', async (t) => {
  const { verify, prove, bound } = await stage(t)
  const headers = { authorization: `dpop ${bound}`, dpop: prove() }
  assert.equal((await verify(new Request(`${RESOURCE}${PATH}`, { headers }))).subject, WORKLOAD)
})

const BROKEN: readonly (readonly [string, (draft: ProofDraft) => void])[] = [
  ['another method', ({ claims }) => Object.assign(claims, { htm: 'POST' })],
  ['another path', ({ claims }) => Object.assign(claims, { htu: `${HTU}/1` })],
  ['another server', ({ claims }) => Object.assign(claims, { htu: 'https://evil.example/trades' })],
  [
    'another token',
    ({ claims }) => Object.assign(claims, { ath: hash('sha256', 'x', 'base64url') }),
  ],
  ['no token', ({ claims }) => delete claims['ath']],
  ['another time', ({ claims }) => Object.assign(claims, { iat: 1 })],
  ['another type', ({ header }) => Object.assign(header, { typ: 'JWT' })],
  ['a signature of another key', ({ header }) => Object.assign(header, { jwk: thief.jwk })],
]

test('§7.1 (2) every check of a proof has to hold', async (t) => {
  const { show, prove } = await stage(t)
  for (const [what, change] of BROKEN) {
    await t.test(`refused: a proof for ${what}`, async () => {
      await assertRefused(show(prove(change)), 'DPoP ', 'invalid_dpop_proof')
    })
  }
  for (const proof of ['', 'x', `${prove()}, ${prove()}`]) {
    await assertRefused(show(proof), 'DPoP ', 'invalid_dpop_proof')
  }
})

test('§7.1 (3) a stolen token is of no use with another key', async (t) => {
  const { show, prove } = await stage(t)
  await assertRefused(show(prove(undefined, thief)), 'DPoP ', 'invalid_token')
})

test('§7.1 (4) the challenge names the scheme, the error once, and the algorithms', async (t) => {
  const { show, request, verify } = await stage(t)
  const algs = 'algs="ES256 ES384 EdDSA Ed25519 PS256 RS256"'
  const bad = await assertRefused(show('x'), 'DPoP ', 'invalid_dpop_proof')
  assert.equal(bad['WWW-Authenticate'], `DPoP error="invalid_dpop_proof", ${algs}`)
  const none = await assertRefused(verify(request({})), 'Bearer, DPoP ', null)
  assert.equal(none['WWW-Authenticate'], `Bearer, DPoP ${algs}`)
})

test('§7.2 a bound token is no bearer token, whatever proof is beside it', async (t) => {
  const { verify, request, bound, prove, show } = await stage(t)
  const authorization = `Bearer ${bound}`
  await assertRefused(verify(request({ authorization })), 'Bearer ', 'invalid_token')
  await assertRefused(show(prove(), authorization), 'Bearer ', 'invalid_token')
  await assertRefused(verify(bound), 'Bearer ', 'invalid_token')
})

test('§6 a token that is bound to nothing is a bearer token, and is not shown by the scheme DPoP', async (t) => {
  const { verify, request, plain, prove, show } = await stage(t)
  assert.equal((await verify(plain)).subject, WORKLOAD)
  assert.equal((await verify(request({ authorization: `Bearer ${plain}` }))).subject, WORKLOAD)
  const ath = hash('sha256', plain, 'base64url')
  const proof = prove(({ claims }) => Object.assign(claims, { ath }))
  await assertRefused(show(proof, `DPoP ${plain}`), 'DPoP ', 'invalid_token')
})

test('what is not one token of one scheme is refused', async (t) => {
  const { verify, request, plain, bound } = await stage(t)
  for (const authorization of [
    '',
    'Bearer',
    `Basic ${plain}`,
    `Bearer ${plain}, Bearer ${plain}`,
  ]) {
    await assertRefused(verify(request({ authorization })), 'Bearer, DPoP ', null)
  }
  const twice = [`DPoP ${bound}`, `DPoP ${bound}`]
  await assertRefused(verify(request({ authorization: twice })), 'Bearer, DPoP ', null)
  await assertRefused(verify(request({ authorization: 'DPoP x.y.z' })), 'DPoP ', 'invalid_token')
})

test('§4.3 (9) the proof names the published URL: neither the Host header nor the request line can choose it', async (t) => {
  const { verify, prove, bound } = await stage(t)
  const forEvil = (path: string) =>
    prove(({ claims }) => Object.assign(claims, { htu: `https://evil.example${path}` }))
  for (const url of [
    'https://evil.example/trades',
    '//evil.example/trades',
    '@evil.example/trades',
  ]) {
    const headers = {
      host: 'evil.example',
      authorization: `DPoP ${bound}`,
      dpop: forEvil('/trades'),
    }
    await assertRefused(verify({ method: 'GET', url, headers }), 'DPoP ', 'invalid_dpop_proof')
  }
})

test('a server that is reached below a path says so', async (t) => {
  const publicUrl = 'https://api.example/v1'
  const { show, prove } = await stage(t, { publicUrl })
  await show(prove(({ claims }) => Object.assign(claims, { htu: `${publicUrl}/trades` })))
  await assertRefused(show(prove()), 'DPoP ', 'invalid_dpop_proof')
})

test('§11.1 a proof is good for one request; servers that share a memory share that', async (t) => {
  const replays = replayMemory()
  const { world, show, prove, request, bound } = await stage(t, { replays })
  const other = verifier({
    issuer: world.issuer,
    audience: RESOURCE,
    replays,
    now: () => world.clock.now(),
    fetch: async () => Response.json((await world.app.inject('/jwks')).json()),
  })
  const dpop = prove()
  await show(dpop)
  await assertRefused(show(dpop), 'DPoP ', 'invalid_dpop_proof')
  const again = other(request({ authorization: `DPoP ${bound}`, dpop }))
  await assertRefused(again, 'DPoP ', 'invalid_dpop_proof')
})

test('§9 where nonces are demanded, a 401 brings one, and every answer the next', async (t) => {
  const nonces = proofNonces('a secret of at least thirty-two characters')
  const { world, show, prove, verify, plain } = await stage(t, { nonces })
  const withNonce = (nonce: string) => prove(({ claims }) => Object.assign(claims, { nonce }))
  const told = await assertRefused(show(prove()), 'DPoP ', 'use_dpop_nonce')
  const nonce = told['DPoP-Nonce'] ?? ''
  assert.deepEqual((await show(withNonce(nonce))).headers, { 'DPoP-Nonce': nonce })
  await assertRefused(show(withNonce(world.broker.newNonce())), 'DPoP ', 'use_dpop_nonce')
  world.clock.advance(61)
  assert.notEqual((await show(withNonce(nonce))).headers['DPoP-Nonce'], nonce)
  world.clock.advance(60)
  await assertRefused(show(withNonce(nonce)), 'DPoP ', 'use_dpop_nonce')
  assert.deepEqual((await verify(plain)).headers, {}, 'bearers get none')
})
