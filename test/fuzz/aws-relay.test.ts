/** The signed GetCallerIdentity as callers write it: one spelling, six members, or a Refusal. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readCall } from '../../attestors/aws/call.ts'
import { type Reason, Refusal } from '../../src/refusal.ts'
import { refused } from '../world/attest.ts'
import { encoded, SESSION, signCall } from '../world/sts.ts'

const GOOD: Readonly<Record<string, string>> = signCall(SESSION, {
  audience: 'https://countersign.example',
  nonce: '0123456789abcdefghijklmnopqrstu',
  at: 1_800_000_000_000,
})
const MEMBERS = Object.keys(GOOD)

/** Whatever it is given, it reads a call or refuses. */
function reads(text: string): boolean {
  try {
    readCall(text)
    return true
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error))
    return false
  }
}

test('a good call is read as it was written', () => {
  const { signedAt, accessKeyId, sessionToken, nonce } = readCall(encoded(GOOD))
  assert.deepEqual(
    [signedAt, accessKeyId, sessionToken, nonce],
    [1_800_000_000, SESSION.accessKeyId, SESSION.sessionToken, GOOD['nonce']],
  )
})

const text = JSON.stringify(GOOD)
const base64 = (written: string) => Buffer.from(written).toString('base64url')
const ROWS: readonly (readonly [string, string, Reason])[] = [
  ['padding', `${encoded(GOOD)}=`, 'token_malformed'],
  ['the other base64', `${encoded(GOOD).slice(0, -1)}+`, 'token_malformed'],
  ['a byte order mark', base64(`\ufeff${text}`), 'token_malformed'],
  [
    'bytes that are no UTF-8',
    Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url'),
    'token_malformed',
  ],
  ['a list', base64(`[${text}]`), 'token_malformed'],
  ['two objects', base64(text + text), 'token_malformed'],
  ['a repeated member', base64(text.replace('{', '{"region":"eu-central-1",')), 'token_malformed'],
  [
    'a repeated member in disguise',
    base64(text.replace('{', '{"\\u0072egion":"x",')),
    'token_malformed',
  ],
  ['a URL', encoded({ ...GOOD, url: 'https://evil.example/' }), 'token_malformed'],
  ['headers', encoded({ ...GOOD, headers: { host: 'evil.example' } }), 'token_malformed'],
  [
    'a line break in the session',
    encoded({ ...GOOD, session_token: 'a\r\nhost: b' }),
    'claim_invalid',
  ],
  ['a line break at the end', encoded({ ...GOOD, nonce: `${GOOD['nonce']}\n` }), 'claim_invalid'],
  ['a long session', encoded({ ...GOOD, session_token: 'x'.repeat(4097) }), 'claim_invalid'],
  [
    'a slash in the key id',
    encoded({ ...GOOD, access_key_id: 'ASIAEXAMPLEEXAMPLE/2' }),
    'claim_invalid',
  ],
  ['a signature in capitals', encoded({ ...GOOD, signature: 'A'.repeat(64) }), 'claim_invalid'],
  ['the 31st of June', encoded({ ...GOOD, amz_date: '20260631T000000Z' }), 'claim_invalid'],
  ['the hour 25', encoded({ ...GOOD, amz_date: '20260630T250000Z' }), 'claim_invalid'],
  ['more than 8 KiB', 'a'.repeat(8193), 'evidence_too_large'],
]
for (const [what, value, reason] of ROWS) {
  test(`${what} is ${reason}`, async () => void (await refused(() => readCall(value), reason)))
}

for (const member of MEMBERS) {
  test(`${member} is needed, as a text`, async () => {
    const { [member]: _gone, ...rest } = GOOD
    for (const value of [rest, { ...GOOD, [member]: null }, { ...GOOD, [member]: 7 }]) {
      await refused(() => readCall(encoded(value)), 'claim_invalid')
    }
  })
}

test('any text is read or refused, and never shown', () => {
  fc.assert(fc.property(fc.string({ maxLength: 300 }), (value) => !reads(value)))
  fc.assert(fc.property(fc.json(), (value) => !reads(base64(value))))
})

test('a call whose base64url was changed anywhere says something else, or nothing', () => {
  const value = encoded(GOOD)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ '
  fc.assert(
    fc.property(fc.nat(value.length - 1), fc.constantFrom(...alphabet), (at, letter) => {
      const changed = value.slice(0, at) + letter + value.slice(at + 1)
      if (changed === value || !reads(changed)) return
      assert.notDeepEqual(readCall(changed), readCall(value))
    }),
  )
})

test('no member can hold what begins another header', () => {
  const hostile = fc.constantFrom('\r', '\n', '\r\nx-amz-date: 1', '\u0000', ' ', '\u2028', 'é')
  fc.assert(
    fc.property(fc.constantFrom(...MEMBERS), fc.nat(20), hostile, (member, at, bad) => {
      const good = GOOD[member] ?? ''
      const value = good.slice(0, at) + bad + good.slice(at)
      assert.equal(reads(encoded({ ...GOOD, [member]: value })), false)
    }),
  )
})
