/** RFC 9449 §4, §6.1 and §11: what a DPoP proof is, wherever it is shown. Each row breaks one thing of a good proof. */

import assert from 'node:assert/strict'
import { generateKeyPairSync, hash } from 'node:crypto'
import { suite, test } from 'node:test'
import { calculateJwkThumbprint } from 'jose'
import { type Occasion, PROOF_ALGORITHMS, PROOF_SECONDS, proofReader } from '../../src/dpop.ts'
import type { Reason } from '../../src/refusal.ts'
import { jwkThumbprint } from '../../src/thumbprint.ts'
import { refused } from '../world/attest.ts'
import { holder, type ProofDraft, signProof } from '../world/proof.ts'

const URL = 'https://as.example/token'
const NOW = 1_800_000_000
const TOKEN = 'an.access.token'
const ATH = hash('sha256', TOKEN, 'base64url')
const me = holder()
const reader = proofReader()

const occasion = (change: Partial<Occasion> = {}): Occasion => ({
  method: 'POST',
  url: URL,
  token: null,
  checkNonce: () => {},
  ...change,
})
const good = (change?: (draft: ProofDraft) => void) => me.prove({ url: URL, at: NOW }, change)
const read = (proof: string, change?: Partial<Occasion>, now = NOW) =>
  reader(proof, occasion(change), now)

/** Replaces the signature's or another part's bytes. */
const part = (proof: string, index: number, change: (text: string) => string) =>
  proof
    .split('.')
    .map((text, at) => (at === index ? change(text) : text))
    .join('.')
const encode = (text: string) => Buffer.from(text).toString('base64url')
const decode = (text: string) => Buffer.from(text, 'base64url').toString()
const claim = (name: string, value: unknown) => (draft: ProofDraft) => {
  if (value === undefined) delete draft.claims[name]
  else draft.claims[name] = value
}
const header = (name: string, value: unknown) => (draft: ProofDraft) => {
  if (value === undefined) delete draft.header[name]
  else draft.header[name] = value
}
const jwk = (change: object) => (draft: ProofDraft) => {
  draft.header['jwk'] = { ...me.jwk, ...change }
}

test('a good proof names its key, itself, and when it is over', () => {
  const { jkt, key, until } = read(good(claim('jti', 'a')))
  assert.deepEqual({ jkt, key, until }, { jkt: me.jkt, key: `${me.jkt} a`, until: NOW + 60 })
  assert.equal(PROOF_SECONDS, 60)
})

for (const alg of PROOF_ALGORITHMS) {
  test(`a proof by ${alg} is taken`, () => {
    const { jkt } = read(holder('another', alg).prove({ url: URL, at: NOW }))
    assert.equal(jkt, holder('another', alg).jkt)
  })
}

test('§6.1 a key is named by its SHA-256 thumbprint of RFC 7638, of any type', async () => {
  for (const alg of PROOF_ALGORITHMS) {
    const { jwk: key, jkt } = holder('another', alg)
    assert.equal(await calculateJwkThumbprint({ ...key }), jkt)
  }
  // The example of RFC 7638 §3.1.
  const n =
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
  const known = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'
  assert.equal(jwkThumbprint({ kty: 'RSA', n, e: 'AQAB' }), known)
})

type Row = readonly [what: string, proof: string, reason: Reason]

const p521 = holder('p521', 'ES512')
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
const weakProof = () => {
  const draft = { header: { typ: 'dpop+jwt', alg: 'RS256' }, claims: { jti: 'x' } } as ProofDraft
  draft.header['jwk'] = weak.publicKey.export({ format: 'jwk' })
  Object.assign(draft.claims, { htm: 'POST', htu: URL, iat: NOW })
  return signProof(draft, weak.privateKey, 'RS256')
}

// biome-ignore format: a table, one row a line
const ROWS: readonly Row[] = [
  ['§4.3 (1) two proofs in one header', `${good()}, ${good()}`, 'proof_malformed'],
  ['§4.3 (2) an empty header', '', 'proof_malformed'],
  ['§4.3 (2) a text that is no JWT', 'proof', 'proof_malformed'],
  ['§4.3 (2) two segments', good().split('.').slice(0, 2).join('.'), 'proof_malformed'],
  ['§4.3 (2) five segments', `${good()}.a.b`, 'proof_malformed'],
  ['§4.3 (2) no signature', part(good(), 2, () => ''), 'proof_malformed'],
  ['§4.3 (2) white space around it', ` ${good()}`, 'proof_malformed'],
  ['§4.3 (2) padding', `${good()}=`, 'proof_malformed'],
  ['§4.3 (2) a header that is no JSON', part(good(), 0, () => encode('{')), 'proof_malformed'],
  ['§4.3 (2) claims that are a list', part(good(), 1, () => encode('[]')), 'proof_malformed'],
  ['§4.3 (2) a repeated name', part(good(), 1, (text) => encode(decode(text).replace('{', '{"htm":"GET",'))), 'proof_malformed'],
  ['§4.3 (2) deep nesting', good(header('x', [[[[[]]]]])), 'proof_malformed'],
  ['§4.3 (2) more than 8 KiB', good(claim('x', 'x'.repeat(8200))), 'proof_malformed'],
  ['§4.3 (2) a critical extension', good(header('crit', ['x'])), 'proof_malformed'],
  ['§4.3 (2) a URL of keys', good(header('jku', 'https://evil.example')), 'proof_malformed'],
  ['§4.3 (2) a certificate', good(header('x5c', ['x'])), 'proof_malformed'],
  ['§4.3 (3) no jti', good(claim('jti', undefined)), 'proof_malformed'],
  ['§4.3 (3) an empty jti', good(claim('jti', '')), 'proof_malformed'],
  ['§4.3 (3) a jti that is no text', good(claim('jti', 7)), 'proof_malformed'],
  ['§4.3 (3) a jti without end', good(claim('jti', 'x'.repeat(257))), 'proof_malformed'],
  ['§4.3 (3) no htm', good(claim('htm', undefined)), 'proof_malformed'],
  ['§4.3 (3) an htm that is a list', good(claim('htm', ['POST'])), 'proof_malformed'],
  ['§4.3 (3) no htu', good(claim('htu', undefined)), 'proof_malformed'],
  ['§4.3 (3) an htu that is no text', good(claim('htu', null)), 'proof_malformed'],
  ['§4.3 (3) no iat', good(claim('iat', undefined)), 'proof_malformed'],
  ['§4.3 (3) an iat that is text', good(claim('iat', `${NOW}`)), 'proof_malformed'],
  ['§4.3 (3) a nonce that is no text', good(claim('nonce', 1)), 'proof_malformed'],
  ['§4.3 (3) an ath that is no text', good(claim('ath', {})), 'proof_malformed'],
  ['§4.3 (3) no jwk', good(header('jwk', undefined)), 'proof_key_refused'],
  ['§4.3 (4) no typ', good(header('typ', undefined)), 'proof_malformed'],
  ['§4.3 (4) the typ JWT', good(header('typ', 'JWT')), 'proof_malformed'],
  ['§11.5 a client assertion of the same key', good(header('typ', 'client-authentication+jwt')), 'proof_malformed'],
  ['§11.5 an access token', good(header('typ', 'at+jwt')), 'proof_malformed'],
  ['§4.3 (5) no alg', good(header('alg', undefined)), 'proof_key_refused'],
  ['§4.3 (5) an alg that nobody knows', good(header('alg', 'XS256')), 'proof_key_refused'],
  ['§4.3 (5) an alg that is not offered', holder('rsa', 'RS512').prove({ url: URL, at: NOW }), 'proof_key_refused'],
  ['§4.3 (5) a curve that is not offered', p521.prove({ url: URL, at: NOW }, header('alg', 'ES256')), 'proof_key_refused'],
  ['§4.3 (5) the alg of another key type', good(header('alg', 'PS256')), 'proof_key_refused'],
  ['§4.3 (5) the alg of another curve', good(header('alg', 'ES384')), 'proof_key_refused'],
  ['§4.3 (5) an RSA key of 1024 bits', weakProof(), 'proof_key_refused'],
  ['§11.6 alg none', part(good(header('alg', 'none')), 2, () => 'AA'), 'proof_key_refused'],
  ['§11.6 a symmetric alg, with the public key as its secret', good(header('alg', 'HS256')), 'proof_key_refused'],
  ['§11.6 a symmetric key', good(header('jwk', { kty: 'oct', k: 'AAAA' })), 'proof_key_refused'],
  ['§4.3 (6) the signature of another key', good(header('jwk', holder('another').jwk)), 'proof_signature_invalid'],
  ['§4.3 (6) a signature of zeros', part(good(), 2, (text) => 'A'.repeat(text.length)), 'proof_signature_invalid'],
  ['§4.3 (6) a signature in DER', part(good(), 2, (text) => encode(`0${decode(text)}`)), 'proof_signature_invalid'],
  ['§4.3 (6) claims that were changed', part(good(), 1, (text) => encode(decode(text).replace('proof-', 'Proof-'))), 'proof_signature_invalid'],
  ['§4.3 (6) a point that is not on its curve', good(jwk({ x: 'A'.repeat(43) })), 'proof_key_refused'],
  ['§4.3 (6) a jwk that is a list', good(header('jwk', [me.jwk])), 'proof_key_refused'],
  ['§4.3 (6) a jwk without a coordinate', good(jwk({ y: undefined })), 'proof_key_refused'],
  ['§4.3 (6) a key type from Object.prototype', good(jwk({ kty: 'constructor' })), 'proof_key_refused'],
  ['§4.3 (6) a key that is spelt in another way', good(jwk({ x: `${me.jwk['x']}=` })), 'proof_key_refused'],
  ['§4.3 (7) a private key', good(header('jwk', me.privateKey.export({ format: 'jwk' }))), 'proof_key_refused'],
  ['§4.3 (7) one private member of another type', good(jwk({ p: 'AA' })), 'proof_key_refused'],
  ['§4.3 (8) another method', good(claim('htm', 'GET')), 'proof_mismatched'],
  ['§4.3 (8) the method in small letters', good(claim('htm', 'post')), 'proof_mismatched'],
  ['§4.3 (9) another path', good(claim('htu', 'https://as.example/token/')), 'proof_mismatched'],
  ['§4.3 (9) the path in another case', good(claim('htu', 'https://as.example/Token')), 'proof_mismatched'],
  ['§4.3 (9) another host', good(claim('htu', 'https://rs.example/token')), 'proof_mismatched'],
  ['§4.3 (9) another port', good(claim('htu', 'https://as.example:8443/token')), 'proof_mismatched'],
  ['§4.3 (9) another scheme', good(claim('htu', 'http://as.example/token')), 'proof_mismatched'],
  ['§4.3 (9) a user before the host', good(claim('htu', 'https://as.example@evil.example/token')), 'proof_mismatched'],
  ['§4.3 (9) a relative URL', good(claim('htu', '/token')), 'proof_mismatched'],
  ['§4.3 (9) a backslash', good(claim('htu', 'https://as.example\\token')), 'proof_mismatched'],
  ['§4.3 (9) a line break', good(claim('htu', 'https://as.example/to\nken')), 'proof_mismatched'],
  ['§4.3 (9) an encoded slash', good(claim('htu', 'https://as.example/%2Ftoken')), 'proof_mismatched'],
  ['§4.3 (11) a proof that was made a minute ago', good(claim('iat', NOW - 60)), 'proof_expired'],
  ['§4.3 (11) a proof that was never made', good(claim('iat', -1e300)), 'proof_expired'],
  ['§4.3 (11) a proof of the future', good(claim('iat', NOW + 31)), 'proof_premature'],
  ['§4.3 (11) a proof of the far future', good(claim('iat', 1e300)), 'proof_premature'],
]

suite('a proof is refused', () => {
  for (const [what, proof, reason] of ROWS) {
    test(`${what}: ${reason}`, async () => {
      await refused(() => read(proof), reason)
    })
  }
})

test('§4.3 (9) a URL is compared after normalisation, without query and fragment', () => {
  for (const htu of [
    'https://as.example/token?x=1',
    'https://as.example/token#x',
    'HTTPS://AS.example:443/token',
    'https://as.example/a/../token',
    'https://as.example/%74oken',
  ]) {
    read(good(claim('htu', htu)))
  }
  const url = 'https://as.example/a%2fb?q'
  read(good(claim('htu', 'https://as.example/a%2Fb')), { url })
})

test('§4.3 (10) what the nonce is worth is the server’s to say, and asked after all that costs less', async () => {
  const seen: unknown[] = []
  const checkNonce = (nonce: unknown) => void seen.push(nonce)
  read(good(claim('nonce', 'n')), { checkNonce })
  read(good(), { checkNonce })
  await refused(() => read(good(claim('iat', 0)), { checkNonce }), 'proof_expired')
  await refused(() => read(good(claim('htm', 'GET')), { checkNonce }), 'proof_mismatched')
  assert.deepEqual(seen, ['n', undefined])
})

test('§4.3 (11) a proof is good from half a minute before its time to a minute after', () => {
  assert.equal(read(good(claim('iat', NOW + 30))).until, NOW + 90)
  assert.equal(read(good(claim('iat', NOW - 59))).until, NOW + 1)
  assert.equal(read(good(claim('iat', NOW - 59.5))).until, NOW + 1, 'whole or not')
})

test('§4.2 the access token is hashed as ASCII with SHA-256, base64url', () => {
  read(good(claim('ath', ATH)), { token: TOKEN })
})

test('§4.3 (12) without the hash of this very token a proof is refused beside it', async () => {
  for (const ath of [undefined, '', hash('sha256', 'another', 'base64url'), `${ATH}=`]) {
    await refused(() => read(good(claim('ath', ath)), { token: TOKEN }), 'proof_mismatched')
  }
})

test('what is not known in a proof is ignored', () => {
  read(good((draft) => Object.assign(draft.claims, { aud: 'x', exp: 1 })))
  read(good((draft) => Object.assign(draft.header, { kid: 'x', b: 1 })))
  read(good(jwk({ kid: 'x', use: 'sig', ext: true })))
  read(good(header('typ', 'application/DPoP+JWT')))
})
