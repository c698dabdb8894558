/** Proofs out of anything: a reader of them refuses, and never fails in another way. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { proofReader } from '../../src/dpop.ts'
import { REASONS, Refusal } from '../../src/refusal.ts'
import { holder, type ProofDraft, signProof } from '../world/proof.ts'

const URL = 'https://as.example/token'
const NOW = 1_800_000_000
const me = holder()
const read = proofReader()
const occasion = { method: 'POST', url: URL, token: null, checkNonce: () => {} }
const encode = (text: string) => Buffer.from(text).toString('base64url')

/** Whether it is taken. Anything but a Refusal that is answered as a bad proof fails the test. */
function takes(header: string): boolean {
  try {
    read(header, occasion, NOW)
    return true
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    assert.equal(REASONS[error.reason].answer, 'proof')
    return false
  }
}

/** EdDSA: unlike ECDSA it has one signature for one text and key, so that any other is a forgery. */
const signing = holder('fuzz', 'EdDSA')
const GOOD = signing.prove({ url: URL, at: NOW })

suite('fuzz: DPoP proofs', () => {
  test('random text is refused', () => {
    const base64url = fc.string({ unit: fc.constantFrom(...'AZaz09-_=+/., \n{}"') })
    const part = fc.oneof(base64url, fc.json().map(encode), fc.string().map(encode))
    const parts = fc.array(part, { maxLength: 6 })
    fc.assert(fc.property(parts, (segments) => assert.equal(takes(segments.join('.')), false)))
  })

  test('a good proof in which any bit was flipped is refused', () => {
    assert.ok(takes(GOOD))
    fc.assert(
      fc.property(fc.nat(GOOD.length - 1), fc.nat(7), (at, bit) => {
        const bytes = Buffer.from(GOOD, 'latin1')
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
        assert.equal(takes(bytes.toString('latin1')), false)
      }),
      { numRuns: 500 },
    )
  })

  test('a cut proof is refused', () => {
    for (let length = 0; length < GOOD.length; length += 1) {
      assert.equal(takes(GOOD.slice(0, length)), false)
    }
  })

  test('whatever a header or a claim holds, and however well it is signed, nothing but a refusal comes of it', () => {
    const names = fc.constantFrom('typ', 'alg', 'jwk', 'jti', 'htm', 'htu', 'iat', 'ath', 'nonce')
    fc.assert(
      fc.property(names, fc.jsonValue({ maxDepth: 3 }), (name, value) => {
        const change = ({ header, claims }: ProofDraft) => {
          const where = name in header ? header : claims
          where[name] = value
        }
        takes(me.prove({ url: URL, at: NOW }, change))
      }),
      { numRuns: 500 },
    )
  })

  test('whatever a key holds, nothing but a refusal comes of it', () => {
    const value = fc.oneof(fc.string(), fc.base64String(), fc.jsonValue({ maxDepth: 1 }))
    const kty = fc.constantFrom('EC', 'RSA', 'OKP', 'oct', 'constructor', '__proto__')
    const crv = fc.constantFrom('P-256', 'P-384', 'P-521', 'secp256k1', 'Ed25519', 'X25519', 'x')
    const jwk = fc.record(
      { kty, crv, x: value, y: value, n: value, e: value },
      { requiredKeys: [] },
    )
    const alg = fc.constantFrom('ES256', 'ES384', 'EdDSA', 'PS256', 'RS256')
    fc.assert(
      fc.property(jwk, alg, (key, algorithm) => {
        const header = { typ: 'dpop+jwt', alg: algorithm, jwk: key }
        const claims = { jti: 'x', htm: 'POST', htu: URL, iat: NOW }
        assert.equal(takes(signProof({ header, claims }, me.privateKey, 'ES256')), false)
      }),
      { numRuns: 500 },
    )
  })

  test('no URL is taken for ours that the platform reads as another', () => {
    const piece = fc.constantFrom(
      'https:',
      '//',
      'as.example',
      '/',
      'token',
      '@',
      '%2f',
      '..',
      '\\',
      '#',
      '?',
      ' ',
      ':443',
      'evil',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const htu = pieces.join('')
        const taken = takes(me.prove({ url: htu, at: NOW }))
        if (!taken) return
        const { origin, pathname } = new globalThis.URL(htu)
        assert.equal(`${origin}${pathname}`, URL)
      }),
      { numRuns: 500 },
    )
  })
})
