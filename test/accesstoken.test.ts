/** Our own tokens read back: what is read is what was signed, and nothing else is read. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { type AccessTokens, accessTokens } from '../src/accesstoken.ts'
import type { Signer } from '../src/keys.ts'
import { sealToken } from '../src/opaque.ts'
import { FORMATS } from '../src/policy/question.ts'
import { signStatement } from '../src/statement.ts'
import { signClaims } from '../src/token.ts'
import {
  freshKeys,
  GRANT,
  ISSUED_AT,
  ROTATE_EVERY,
  TOKEN_ISSUER,
  tokenOf,
} from './world/signing.ts'

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

test('a token of either format is read to the claims of the JWT', async (t) => {
  const keys = await freshKeys(t)
  const tokens = accessTokens(TOKEN_ISSUER, keys)
  const claims = decodeJwt(tokenOf(keys))
  for (const format of FORMATS) {
    const read = tokens.read(tokenOf(keys, { format }), ISSUED_AT)
    assert.deepEqual(plain(read.claims), claims)
    const { claims: _claims, ...rest } = read
    assert.deepEqual(rest, {
      kid: keys.signer(ISSUED_AT).kid,
      format,
      jti: 'jti-1',
      subject: GRANT.subject,
      clientId: GRANT.clientId,
      audience: GRANT.audience,
      scopes: GRANT.scopes,
      issuedAt: GRANT.issuedAt,
      expiresAt: GRANT.expiresAt,
      lineage: GRANT.lineage,
      confirmation: null,
    })
  }
})

test('a binding is read back, and a token without a scope has none', async (t) => {
  const keys = await freshKeys(t)
  const tokens = accessTokens(TOKEN_ISSUER, keys)
  for (const confirmation of [{ jkt: 'thumb' }, { 'x5t#S256': 'print' }] as const) {
    for (const format of FORMATS) {
      const read = tokens.read(tokenOf(keys, { confirmation, format, scopes: [] }), ISSUED_AT)
      assert.deepEqual(read.confirmation, confirmation)
      assert.deepEqual(read.scopes, [])
    }
  }
})

test('a token ends with its last second', async (t) => {
  const keys = await freshKeys(t)
  const tokens = accessTokens(TOKEN_ISSUER, keys)
  for (const format of FORMATS) {
    const token = tokenOf(keys, { format })
    assert.equal(tokens.read(token, GRANT.expiresAt - 1).jti, 'jti-1')
    assert.throws(() => tokens.read(token, GRANT.expiresAt), { reason: 'token_expired' })
  }
})

test('a token is read for as long as its key is published', async (t) => {
  const keys = await freshKeys(t)
  const tokens = accessTokens(TOKEN_ISSUER, keys)
  const takeover = ISSUED_AT + ROTATE_EVERY
  const forever = { expiresAt: takeover * 2 }
  const made = FORMATS.map((format) => tokenOf(keys, { ...forever, format }))
  await keys.refresh(takeover - 3600)
  const published = keys.lives(takeover)[0]?.publishedUntil ?? 0
  assert.ok(published > takeover)
  for (const token of made) {
    assert.equal(tokens.read(token, published - 1).jti, 'jti-1')
    assert.throws(() => tokens.read(token, published), { reason: 'key_unknown' })
  }
})

type Payload = Record<string, unknown>

/** What is wrong with the claims, how to break them, the reason. A good token has none of it. */
const CLAIMS: readonly (readonly [string, (claims: Payload) => void, string])[] = [
  ['another issuer', (c) => Object.assign(c, { iss: 'https://other.test' }), 'issuer_untrusted'],
  ['no issuer', (c) => delete c['iss'], 'issuer_untrusted'],
  [
    'an issuer with a slash',
    (c) => Object.assign(c, { iss: `${TOKEN_ISSUER}/` }),
    'issuer_untrusted',
  ],
  ['no end', (c) => delete c['exp'], 'claim_invalid'],
  ['an end as text', (c) => Object.assign(c, { exp: '9999999999' }), 'claim_invalid'],
  [
    'two audiences',
    (c) => Object.assign(c, { aud: ['https://a.test', 'https://b.test'] }),
    'claim_invalid',
  ],
  ['no audience', (c) => delete c['aud'], 'claim_invalid'],
  ['no subject', (c) => delete c['sub'], 'claim_invalid'],
  ['no client', (c) => delete c['client_id'], 'claim_invalid'],
  ['no jti', (c) => delete c['jti'], 'claim_invalid'],
  ['no iat', (c) => delete c['iat'], 'claim_invalid'],
  ['a list of scopes', (c) => Object.assign(c, { scope: ['a'] }), 'claim_invalid'],
  ['no lineage', (c) => delete c['lineage'], 'claim_invalid'],
  ['a lineage of numbers', (c) => Object.assign(c, { lineage: [1] }), 'claim_invalid'],
  ['a binding of another kind', (c) => Object.assign(c, { cnf: { kid: 'x' } }), 'claim_invalid'],
  [
    'two bindings',
    (c) => Object.assign(c, { cnf: { jkt: 'a', 'x5t#S256': 'b' } }),
    'claim_invalid',
  ],
  ['an empty binding', (c) => Object.assign(c, { cnf: {} }), 'claim_invalid'],
  ['a binding to null', (c) => Object.assign(c, { cnf: null }), 'claim_invalid'],
]

for (const [wrong, change, reason] of CLAIMS) {
  test(`signed or sealed by our key, but with ${wrong}: refused as ${reason}`, async (t) => {
    const keys = await freshKeys(t)
    const tokens = accessTokens(TOKEN_ISSUER, keys)
    const good: Payload = decodeJwt(tokenOf(keys))
    const signer = keys.signer(ISSUED_AT)
    for (const make of [signClaims, sealToken]) {
      assert.equal(tokens.read(make(good, signer), ISSUED_AT).jti, 'jti-1')
      const bad = structuredClone(good)
      change(bad)
      assert.throws(() => tokens.read(make(bad, signer), ISSUED_AT), { reason })
    }
  })
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A JWT that our key has not signed as an access token: how it is made, the reason. */
const JWTS: readonly (readonly [string, (signer: Signer, claims: Payload) => string, string])[] = [
  ['typ JWT', (s, c) => signStatement('JWT', c, s), 'type_refused'],
  ['a long typ', (s, c) => signStatement('application/at+jwt', c, s), 'type_refused'],
  [
    'a signed introspection',
    (s, c) => signStatement('token-introspection+jwt', c, s),
    'type_refused',
  ],
  [
    'alg none',
    (s, c) => `${encode({ alg: 'none', typ: 'at+jwt', kid: s.kid })}.${encode(c)}.AAAA`,
    'algorithm_refused',
  ],
  [
    'alg HS256',
    (s, c) => `${encode({ alg: 'HS256', typ: 'at+jwt', kid: s.kid })}.${encode(c)}.AAAA`,
    'algorithm_refused',
  ],
  ['an unknown key', (s, c) => signStatement('at+jwt', c, { ...s, kid: 'other' }), 'key_unknown'],
  [
    'a key of its own',
    (s, c) => `${encode({ alg: 'ES256', typ: 'at+jwt', kid: s.kid, jwk: {} })}.${encode(c)}.AAAA`,
    'header_refused',
  ],
  ['no signature', (s, c) => signClaims(c, s).replace(/\.[^.]*$/, '.'), 'token_malformed'],
  [
    'another payload',
    (s, c) => signClaims(c, s).replace(/\.[^.]*\./, `.${encode({})}.`),
    'signature_invalid',
  ],
]

for (const [wrong, make, reason] of JWTS) {
  test(`a JWT with ${wrong} is refused as ${reason}`, async (t) => {
    const keys = await freshKeys(t)
    const tokens: AccessTokens = accessTokens(TOKEN_ISSUER, keys)
    const claims = decodeJwt(tokenOf(keys))
    assert.throws(() => tokens.read(make(keys.signer(ISSUED_AT), claims), ISSUED_AT), { reason })
  })
}

test('claims that do not fit into a sealed token are refused as token_oversized', async (t) => {
  const keys = await freshKeys(t)
  const claims = { claims: { note: 'x'.repeat(4096) } }
  assert.throws(() => tokenOf(keys, { ...claims, format: 'opaque' }), { reason: 'token_oversized' })
  assert.ok(tokenOf(keys, claims).length > 4096, 'a JWT has no such limit')
})
