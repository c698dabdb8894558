/**
 * Hostile proofs of possession as their sender sees them: `[what, the DPoP header, what the operator reads]`. Each row
 * breaks one thing of a proof that is good otherwise, and gets one and the same answer, whatever it was. Nothing is
 * burned by it: the platform token beside it is good for one token, and is used afterwards.
 */

import assert from 'node:assert/strict'
import {
  createHmac,
  createPublicKey,
  createSign,
  generateKeyPairSync,
  randomUUID,
  sign,
} from 'node:crypto'
import { suite, type TestContext, test } from 'node:test'
import { REASONS, type Reason } from '../../src/refusal.ts'
import { startBroker, type TestBroker } from '../world/broker.ts'
import { aliased } from '../world/forge.ts'
import { type Holder, holder, type ProofDraft, signProof } from '../world/proof.ts'

/** What a row is made of: a caller's key, and the good proof of this moment, before and after a change. */
type Scene = {
  readonly world: TestBroker
  readonly key: Holder
  readonly good: (change?: (draft: ProofDraft) => void) => string
  readonly draft: () => ProofDraft
}

type Row = readonly [what: string, header: (scene: Scene) => string, reason: Reason]

const OTHER = holder('another')
const SHORT = generateKeyPairSync('rsa', { modulusLength: 1024 })
const P384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })

const encode = (text: string | Buffer) => Buffer.from(text).toString('base64url')
const json = (value: unknown) => encode(JSON.stringify(value))
const signatureOf = (proof: string) => proof.split('.')[2] ?? ''
const inputOf = (proof: string) => proof.slice(0, proof.lastIndexOf('.'))

/** A good proof with other header members, claims, or both. */
const header =
  (change: Record<string, unknown>) =>
  ({ good }: Scene) =>
    good((draft) => Object.assign(draft.header, change))
const claims =
  (change: Record<string, unknown>) =>
  ({ good }: Scene) =>
    good((draft) => Object.assign(draft.claims, change))
const aged =
  (seconds: number) =>
  ({ good, world }: Scene) =>
    good((draft) => Object.assign(draft.claims, { iat: world.clock.seconds() + seconds }))
/** Signed as it is, by whatever signs: for what `holder` itself would not sign. */
const signedBy =
  (change: Record<string, unknown>, by: (input: string, scene: Scene) => string | Buffer) =>
  (scene: Scene) => {
    const draft = scene.draft()
    const input = `${json({ ...draft.header, ...change })}.${json(draft.claims)}`
    return `${input}.${encode(by(input, scene))}`
  }
const pem = ({ key }: Scene) =>
  createPublicKey(key.privateKey).export({ type: 'spki', format: 'pem' })
const jwkOf = (scene: Scene) => JSON.stringify(scene.draft().header['jwk'])
const hmac = (secret: (scene: Scene) => string | Buffer) => (input: string, scene: Scene) =>
  createHmac('sha256', secret(scene)).update(input).digest()
/** A key that fits nothing but its own kind. */
const rsa = SHORT.publicKey.export({ format: 'jwk' })
const p384 = P384.publicKey.export({ format: 'jwk' })

// biome-ignore format: a table, one row a line
const ROWS: readonly Row[] = [
  // Malformed.
  ['nothing', () => '', 'proof_malformed'],
  ['a word', () => 'proof', 'proof_malformed'],
  ['two segments', ({ good }) => inputOf(good()), 'proof_malformed'],
  ['four segments', ({ good }) => `${good()}.AAAA`, 'proof_malformed'],
  ['no signature', ({ good }) => `${inputOf(good())}.`, 'proof_malformed'],
  ['padding', ({ good }) => `${good()}=`, 'proof_malformed'],
  ['another spelling of the signature', ({ good }) => aliased(good()), 'proof_malformed'],
  ['two proofs', ({ good }) => `${good()}, ${good()}`, 'proof_malformed'],
  ['a scheme before it', ({ good }) => `DPoP ${good()}`, 'proof_malformed'],
  ['a header that is a list', ({ good }) => good().replace(/^[^.]+/, json([1])), 'proof_malformed'],
  ['claims that are text', ({ good }) => good().replace(/\.[^.]+\./, `.${json('x')}.`), 'proof_malformed'],
  ['claims that are not UTF-8', ({ good }) => good().replace(/\.[^.]+\./, `.${encode(Buffer.from([0x7b, 0xff, 0x7d]))}.`), 'proof_malformed'],
  ['a claim twice', ({ draft, good }) => good().replace(/\.[^.]+\./, `.${encode(JSON.stringify(draft().claims).replace('{', '{"htm":"GET",'))}.`), 'proof_malformed'],
  ['brackets without end', ({ good }) => good().replace(/\.[^.]+\./, `.${encode('['.repeat(3000))}.`), 'proof_malformed'],
  ['no typ', header({ typ: undefined }), 'proof_malformed'],
  ['the typ of any JWT', header({ typ: 'JWT' }), 'proof_malformed'],
  ['the typ of an access token', header({ typ: 'at+jwt' }), 'proof_malformed'],
  ['critical extensions', header({ crit: ['exp'], exp: 1 }), 'proof_malformed'],
  ['no jti', claims({ jti: undefined }), 'proof_malformed'],
  ['an empty jti', claims({ jti: '' }), 'proof_malformed'],
  ['a jti that is a number', claims({ jti: 1 }), 'proof_malformed'],
  ['no htm', claims({ htm: undefined }), 'proof_malformed'],
  ['no htu', claims({ htu: undefined }), 'proof_malformed'],
  ['several htu', ({ good, draft }) => good(({ claims }) => { claims['htu'] = [draft().claims['htu'], 'https://evil.example/token'] }), 'proof_malformed'],
  ['no iat', claims({ iat: undefined }), 'proof_malformed'],
  ['an iat that is text', claims({ iat: '1800000000' }), 'proof_malformed'],
  // Foreign: a JWT for something else, or from elsewhere.
  ['the platform token itself', ({ world }) => world.cluster.mint(), 'proof_malformed'],
  ['a proof for another server', claims({ htu: 'https://evil.example/token' }), 'proof_mismatched'],
  ['a proof for another endpoint', ({ good, world }) => good(({ claims }) => { claims['htu'] = `${world.issuer}/introspect` }), 'proof_mismatched'],
  ['a proof for what the Host header says', claims({ htu: 'http://localhost/token' }), 'proof_mismatched'],
  ['a proof for http', ({ good, world }) => good(({ claims }) => { claims['htu'] = `${world.issuer}/token`.replace('https', 'http') }), 'proof_mismatched'],
  ['a proof for a path that only decodes to ours', ({ good, world }) => good(({ claims }) => { claims['htu'] = `${world.issuer}/x%2F..%2Ftoken` }), 'proof_mismatched'],
  ['a htu that is no URL', claims({ htu: 'token' }), 'proof_mismatched'],
  ['another method', claims({ htm: 'GET' }), 'proof_mismatched'],
  ['a method in small letters', claims({ htm: 'post' }), 'proof_mismatched'],
  // Over, and not yet.
  ['an old proof', aged(-60), 'proof_expired'],
  ['a proof from the beginning of time', claims({ iat: 0 }), 'proof_expired'],
  ['a proof from before it', claims({ iat: -1e15 }), 'proof_expired'],
  ['a proof of the future', aged(31), 'proof_premature'],
  ['a proof of the end of time', claims({ iat: 1e300 }), 'proof_premature'],
  // Oversized.
  ['a proof of nine kilobytes', claims({ more: 'x'.repeat(7000) }), 'proof_malformed'],
  ['a long jti', claims({ jti: 'x'.repeat(257) }), 'proof_malformed'],
  ['a long nonce', claims({ nonce: 'x'.repeat(257) }), 'proof_malformed'],
  // Confused algorithms.
  ['no alg', header({ alg: undefined }), 'proof_key_refused'],
  ['alg none', header({ alg: 'none' }), 'proof_key_refused'],
  ['an alg of every object', header({ alg: 'constructor' }), 'proof_key_refused'],
  ['an HMAC keyed with the public key', signedBy({ alg: 'HS256' }, hmac(pem)), 'proof_key_refused'],
  ['an HMAC keyed with the jwk', signedBy({ alg: 'HS256' }, hmac(jwkOf)), 'proof_key_refused'],
  ['an HMAC that says ES256', signedBy({}, hmac(pem)), 'proof_signature_invalid'],
  ['RS256 with an EC key', header({ alg: 'RS256' }), 'proof_key_refused'],
  ['ES256 with a key of P-384', signedBy({ jwk: { kty: p384.kty, crv: p384.crv, x: p384.x, y: p384.y } }, (input) => sign('sha256', Buffer.from(input), { key: P384.privateKey, dsaEncoding: 'ieee-p1363' })), 'proof_key_refused'],
  // Keys.
  ['no jwk', header({ jwk: undefined }), 'proof_key_refused'],
  ['a jwk that is text', header({ jwk: 'x' }), 'proof_key_refused'],
  ['a symmetric jwk', header({ jwk: { kty: 'oct', k: 'AAAA' } }), 'proof_key_refused'],
  ['a private jwk', ({ key, good }) => good(({ header }) => { header['jwk'] = key.privateKey.export({ format: 'jwk' }) }), 'proof_key_refused'],
  ['a point that is not on the curve', ({ good, draft }) => good(({ header }) => { const jwk = draft().header['jwk'] as object; header['jwk'] = { ...jwk, y: encode(Buffer.alloc(32, 1)) } }), 'proof_key_refused'],
  ['an RSA key of 1024 bits', signedBy({ alg: 'RS256', jwk: { kty: rsa.kty, n: rsa.n, e: rsa.e } }, (input) => createSign('sha256').update(input).sign(SHORT.privateKey)), 'proof_key_refused'],
  // Wrong keys.
  ['a signature of another key', ({ draft }) => signProof(draft(), OTHER.privateKey, 'ES256'), 'proof_signature_invalid'],
  ['the signature of another proof', ({ good }) => `${inputOf(good())}.${signatureOf(good())}`, 'proof_signature_invalid'],
  ['a signature of zeros', ({ good }) => `${inputOf(good())}.${encode(Buffer.alloc(64))}`, 'proof_signature_invalid'],
  ['a signature in DER', signedBy({}, (input, { key }) => sign('sha256', Buffer.from(input), key.privateKey)), 'proof_signature_invalid'],
]

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
  const draft = () => {
    const seen: ProofDraft[] = []
    good((made) => void seen.push(made))
    return seen[0] ?? assert.fail()
  }
  const scene: Scene = { world, key, good, draft }
  return { world, url, nonce, form, send, scene }
}

const REFUSED = {
  status: 400,
  body: { error: 'invalid_dpop_proof', error_description: REASONS.proof_malformed.sentence },
}

test('hostile proofs: one answer for all, nothing is burned, nothing breaks', async (t) => {
  const { world, form, send, scene } = await stage(t)
  for (const [what, dpop, reason] of ROWS) {
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
