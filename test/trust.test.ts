import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Attestor } from '../src/identity.ts'
import type { UnverifiedJwt } from '../src/net/jwt.ts'
import { trustTable } from '../src/trust.ts'

function attestor(trust: string, issuers: readonly string[], audience: string): Attestor {
  return { trust, issuers, audience } as Attestor
}

function jwt(claims: Record<string, unknown>): UnverifiedJwt {
  return { claims } as unknown as UnverifiedJwt
}

const A = attestor('kubernetes:a', ['https://shared'], 'https://us/a')
const B = attestor('kubernetes:b', ['https://shared'], 'https://us/b')
const C = attestor('kubernetes:c', ['https://other/'], 'https://us')
const TABLE = trustTable([A, B, C])

test('entries that share an issuer are told apart by the sole audience', () => {
  assert.equal(TABLE.select(jwt({ iss: 'https://shared', aud: 'https://us/a' })), A)
  assert.equal(TABLE.select(jwt({ iss: 'https://shared', aud: 'https://us/b' })), B)
  assert.equal(TABLE.select(jwt({ iss: 'https://shared', aud: ['https://us/b'] })), B)
})

test('the wrong audience goes to an entry of the issuer, which refuses it', () => {
  for (const aud of ['https://us', ['https://us/a', 'https://us/b'], [], undefined, null, 7]) {
    assert.equal(TABLE.select(jwt({ iss: 'https://shared', aud })), A)
  }
})

test('an issuer is compared byte by byte', () => {
  assert.equal(TABLE.select(jwt({ iss: 'https://other/', aud: 'https://us' })), C)
  for (const iss of [
    'https://other',
    'https://OTHER/',
    'https://other/ ',
    '',
    undefined,
    null,
    ['https://other/'],
  ]) {
    assert.throws(() => TABLE.select(jwt({ iss, aud: 'https://us' })), {
      reason: 'issuer_untrusted',
    })
  }
})

test('an untrusted issuer costs a short detail, however many are trusted', () => {
  const many = Array.from({ length: 1_000 }, (_, n) =>
    attestor(`k:${n}`, [`https://issuer-${n}`], 'https://us'),
  )
  assert.throws(
    () => trustTable(many).select(jwt({ iss: 'https://x' })),
    (error: Error & { detail: { trusted: string[] } }) => {
      assert.equal(error.detail.trusted.length, 11)
      assert.equal(error.detail.trusted.at(-1), 'and 990 more')
      return true
    },
  )
})
