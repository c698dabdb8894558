import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { suite, test } from 'node:test'
import { KeySetError, readKeySet } from '../../src/net/keyset.ts'
import { renamed, signer } from '../world/keys.ts'

const first = renamed(signer('cluster'), 'first')
const second = renamed(signer('west'), 'second')
const setOf = (...keys: readonly { readonly jwk: unknown }[]) =>
  JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })

suite('key hygiene', () => {
  const { n, e } = signer('cluster').jwk
  const rsa = { kty: 'RSA', kid: 'k', n, e }
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({
    format: 'jwk',
  })
  const x25519 = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' })
  const point = { kty: 'EC', crv: 'P-256', kid: 'k', x: 'A'.repeat(43), y: 'A'.repeat(43) }
  const rows: readonly (readonly [what: string, jwk: unknown, why: RegExp])[] = [
    ['a private key', { ...rsa, d: 'AQAB' }, /secret/],
    ['a symmetric key', { kty: 'oct', k: 'AAAA', kid: 'k' }, /secret/],
    ['a key for encryption', { ...rsa, use: 'enc' }, /use/],
    ['a key that must not verify', { ...rsa, key_ops: ['encrypt'] }, /key_ops/],
    ['a key without kid', { ...rsa, kid: undefined }, /kid/],
    ['a kid that is a number', { ...rsa, kid: 1 }, /kid/],
    ['an RSA key of 1024 bits', { ...weak, kid: 'k' }, /RSA/],
    [
      'an RSA key of 16384 bits',
      { ...rsa, n: Buffer.alloc(2048, 0xff).toString('base64url') },
      /RSA/,
    ],
    ['an exponent of 3', { ...rsa, e: 'Aw' }, /RSA/],
    ['an even exponent', { ...rsa, e: 'AQAC' }, /RSA/],
    ['a huge exponent', { ...rsa, e: Buffer.alloc(256, 0xff).toString('base64url') }, /RSA/],
    ['a point off the curve', point, /malformed/],
    ['a key for agreement', { ...x25519, kid: 'k' }, /no allowed algorithm/],
    ['an algorithm that is not allowed', { ...rsa, alg: 'PS256' }, /no allowed algorithm/],
    ['an algorithm of another type', { ...rsa, alg: 'ES256' }, /no allowed algorithm/],
    ['HS256 on a public key', { ...rsa, alg: 'HS256' }, /no allowed algorithm/],
    ['an unknown type', { kty: 'AKP', kid: 'k' }, /type/],
    ['a type from Object.prototype', { kty: 'constructor', kid: 'k' }, /type/],
    ['a key that is a string', 'x', /object/],
  ]
  for (const [what, jwk, why] of rows) {
    test(`leaves out ${what}, and says so`, () => {
      const { keys, rejected } = readKeySet(setOf({ jwk }, second), ['RS256', 'ES256'])
      assert.deepEqual([...keys.keys()], ['second'])
      assert.equal(rejected.length, 1)
      assert.match(rejected[0] ?? '', why)
    })
  }

  test('uses neither of two keys with one kid', () => {
    const { keys, rejected } = readKeySet(setOf(first, renamed(second, 'first')), ['RS256'])
    assert.equal(keys.size, 0)
    assert.equal(rejected.length, 2)
  })

  test('a document with repeated names, 101 keys or no keys is no key set', () => {
    const many = setOf(...Array.from({ length: 101 }, (_, n) => renamed(first, `k${n}`)))
    for (const text of ['{"keys":[],"keys":[]}', many, '{}', '[]', 'null', '', '<html>']) {
      assert.throws(() => readKeySet(text, ['RS256']), KeySetError)
    }
  })
})
