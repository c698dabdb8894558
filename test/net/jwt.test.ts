import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { suite, test } from 'node:test'
import { compact, digestOf, parseJwt } from '../../src/net/jwt.ts'
import {
  ALGORITHMS,
  type Algorithm,
  algorithmsOf,
  verifySignature,
} from '../../src/net/signature.ts'
import type { Reason } from '../../src/refusal.ts'
import { refused } from '../world/attest.ts'

const encode = (data: string | Buffer) => Buffer.from(data).toString('base64url')
const token = (header: unknown, payload = '{}', signature: string | Buffer = 'signature') =>
  `${encode(JSON.stringify(header))}.${encode(payload)}.${encode(signature)}`
const GOOD = { alg: 'RS256', kid: 'k' }

suite('parseJwt', () => {
  test('takes a token apart and loses nothing', () => {
    const text = token(GOOD, '{"sub":"é","n":{"__proto__":1}}')
    const jwt = parseJwt(text)
    assert.equal(jwt.claims['sub'], 'é')
    assert.equal(jwt.header.alg, 'RS256')
    assert.equal(compact(jwt), text)
    assert.equal(jwt.signingInput, text.slice(0, text.lastIndexOf('.')))
  })

  test('gives one digest to one signed content, whatever its signature', () => {
    const digest = (signature: string) => digestOf(parseJwt(token(GOOD, '{}', signature)))
    assert.equal(digest('one'), digest('two'))
    assert.match(digest('one'), /^[A-Za-z0-9_-]{43}$/)
  })

  test('takes JWT and the profile’s types, without case or application/', () => {
    for (const typ of [
      'JWT',
      'jwt',
      'application/JWT',
      'JOSE',
      'oauth-id-jag+jwt',
      'application/OAuth-ID-JAG+jwt',
    ]) {
      parseJwt(token({ ...GOOD, typ }), { types: ['oauth-id-jag+jwt'] })
    }
  })

  const foreign = [
    'JOSE+JSON',
    'at+jwt',
    'dpop+jwt',
    'oauth-id-jag+jwt',
    'wit+jwt',
    'logout+jwt',
    'secevent+jwt',
    'txntoken+jwt',
  ]
  for (const typ of foreign.flatMap((name) => [name, name.toUpperCase(), `application/${name}`])) {
    test(`refuses typ ${typ}`, async () => {
      await refused(() => parseJwt(token({ ...GOOD, typ })), 'type_refused')
    })
  }

  const rows: readonly (readonly [string, string, Reason])[] = [
    ['nothing', '', 'token_malformed'],
    ['two segments', 'a.b', 'token_malformed'],
    ['a JWE of five', 'a.b.c.d.e', 'token_malformed'],
    [
      'an empty signature',
      `${encode('{"alg":"none","kid":"k"}')}.${encode('{}')}.`,
      'token_malformed',
    ],
    ['an empty header', `.${encode('{}')}.AAAA`, 'token_malformed'],
    ['a header that is a list', token([]), 'token_malformed'],
    ['a payload that is text', token(GOOD, '"x"'), 'token_malformed'],
    ['a payload with a byte order mark', token(GOOD, '\ufeff{}'), 'token_malformed'],
    [
      'a payload of 17 levels',
      token(GOOD, `{"a":${'['.repeat(16)}${']'.repeat(16)}}`),
      'token_malformed',
    ],
    ['a header of 5 levels', token({ ...GOOD, a: [[[[1]]]] }), 'token_malformed'],
    [
      'fast-jwt CVE-2026-34950: a repeated alg',
      `${encode('{"alg":"RS256","kid":"k","alg":"HS256"}')}.e30.AAAA`,
      'token_malformed',
    ],
    [
      'bytes that are not UTF-8',
      `${encode(JSON.stringify(GOOD))}.${encode(Buffer.from('{"a":"\xff"}', 'latin1'))}.AAAA`,
      'token_malformed',
    ],
    [
      'standard base64',
      token(GOOD, '{"a":"???>>>~~~"}').replaceAll('-', '+').replaceAll('_', '/'),
      'token_malformed',
    ],
    ['white space in front', ` ${token(GOOD)}`, 'token_malformed'],
    [
      '13 header members',
      token({ ...GOOD, ...Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`x${n}`, n])) }),
      'header_refused',
    ],
    ['an alg that is a number', token({ ...GOOD, alg: 1 }), 'header_refused'],
    ['no alg', token({ kid: 'k' }), 'header_refused'],
    ['an empty kid', token({ ...GOOD, kid: '' }), 'header_refused'],
    ['a kid of 129 characters', token({ ...GOOD, kid: 'k'.repeat(129) }), 'header_refused'],
    ['a kid with a line feed', token({ ...GOOD, kid: 'a\nb' }), 'header_refused'],
    ['a typ that is a list', token({ ...GOOD, typ: ['JWT'] }), 'type_refused'],
  ]
  for (const [what, text, reason] of rows) {
    test(`refuses ${what} as ${reason}`, async () => {
      await refused(() => parseJwt(text), reason)
    })
  }

  for (const member of ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'zip', 'b64']) {
    test(`refuses a header with ${member}, whatever its value`, async () => {
      await refused(() => parseJwt(token({ ...GOOD, [member]: null })), 'header_refused')
    })
  }

  test('refuses what is longer than the caller’s limit before looking at it', async () => {
    const text = token(GOOD)
    parseJwt(text, { maxBytes: text.length })
    await refused(() => parseJwt(text, { maxBytes: text.length - 1 }), 'evidence_too_large')
    await refused(() => parseJwt('.'.repeat(16_385)), 'evidence_too_large')
  })

  test('shows an operator no control character and no more than 200 of an attacker’s', async () => {
    const refusal = await refused(
      () => parseJwt(token({ ...GOOD, typ: `\u001b[2J${'x'.repeat(500)}` })),
      'type_refused',
    )
    const found = String(refusal.detail['found'])
    assert.ok(found.length <= 201 && !found.includes('\u001b'))
  })
})

suite('verifySignature', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const ed25519 = generateKeyPairSync('ed25519')

  type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
  const signed = (alg: Algorithm, { privateKey }: Pair) => {
    const input = `${encode(JSON.stringify({ alg, kid: 'k' }))}.${encode('{"a":1}')}`
    const padding = alg.startsWith('PS') ? { padding: 6, saltLength: Number(alg.slice(2)) / 8 } : {}
    const hash = alg.startsWith('Ed') ? null : `sha${alg.slice(2)}`
    const signature = sign(hash, Buffer.from(input), {
      key: privateKey,
      dsaEncoding: 'ieee-p1363',
      ...padding,
    })
    return parseJwt(`${input}.${encode(signature)}`)
  }
  const pairOf = (alg: Algorithm) => {
    if (alg === 'ES256') return p256
    if (alg === 'ES384') return p384
    return alg.startsWith('Ed') ? ed25519 : rsa
  }

  for (const alg of ALGORITHMS) {
    test(`${alg} verifies with its key and fails when a byte differs`, async () => {
      const pair = pairOf(alg)
      const jwt = signed(alg, pair)
      verifySignature(jwt, pair.publicKey, [alg])
      const tampered = { ...jwt, signingInput: `${jwt.signingInput}x` }
      await refused(() => verifySignature(tampered, pair.publicKey, [alg]), 'signature_invalid')
    })

    test(`${alg} is refused where it is not allowed`, async () => {
      const others = ALGORITHMS.filter((other) => other !== alg)
      const { publicKey } = pairOf(alg)
      await refused(
        () => verifySignature(signed(alg, pairOf(alg)), publicKey, others),
        'algorithm_refused',
      )
    })
  }

  test('a key is good for the algorithms of its type and curve only', () => {
    assert.deepEqual(algorithmsOf(p256.publicKey), ['ES256'])
    assert.deepEqual(algorithmsOf(p384.publicKey), ['ES384'])
    assert.deepEqual(algorithmsOf(ed25519.publicKey), ['EdDSA', 'Ed25519'])
    assert.deepEqual(algorithmsOf(rsa.publicKey).length, 6)
    assert.deepEqual(algorithmsOf(rsa.privateKey), [])
  })

  test('an algorithm of another key type is refused even where the list has it', async () => {
    const jwt = signed('RS256', rsa)
    await refused(() => verifySignature(jwt, p256.publicKey, ALGORITHMS), 'algorithm_refused')
  })

  test('an ECDSA signature in DER, or of another length, is refused', async () => {
    const jwt = signed('ES256', p256)
    const der = sign('sha256', Buffer.from(jwt.signingInput), p256.privateKey)
    for (const signature of [der, jwt.signature.subarray(1), Buffer.alloc(0)]) {
      await refused(
        () => verifySignature({ ...jwt, signature }, p256.publicKey, ['ES256']),
        'signature_invalid',
      )
    }
  })

  test('an all-zero ECDSA signature is refused (CVE-2022-21449)', async () => {
    const jwt = { ...signed('ES256', p256), signature: Buffer.alloc(64) }
    await refused(() => verifySignature(jwt, p256.publicKey, ['ES256']), 'signature_invalid')
  })
})
