/** Bad opaque tokens: from a good one, one thing broken at a time. Whoever asks hears the same of all of them. */

import assert from 'node:assert/strict'
import { createCipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { type AccessTokens, accessTokens } from '../src/accesstoken.ts'
import type { Signer, SigningKeys } from '../src/keys.ts'
import { MAX_OPAQUE_CHARACTERS, OPAQUE_PREFIX, sealingKey, sealToken } from '../src/opaque.ts'
import { REASONS, Refusal } from '../src/refusal.ts'
import { sealer } from '../src/seal.ts'
import { freshKeys, ISSUED_AT, TOKEN_ISSUER, tokenOf } from './world/signing.ts'

type Stage = {
  readonly keys: SigningKeys
  readonly signer: Signer
  readonly tokens: AccessTokens
  readonly good: string
  readonly claims: object
}

async function stage(t: { after(end: () => void): void }): Promise<Stage> {
  const keys = await freshKeys(t)
  const tokens = accessTokens(TOKEN_ISSUER, keys)
  const good = tokenOf(keys, { format: 'opaque' })
  const { claims } = tokens.read(good, ISSUED_AT)
  return { keys, signer: keys.signer(ISSUED_AT), tokens, good, claims }
}

/** Why a token is refused; null for one that is taken. Anything but a Refusal fails the test. */
function reasonOf({ tokens }: Stage, token: string): string | null {
  try {
    tokens.read(token, ISSUED_AT)
    return null
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    // INVARIANT: introspection says "not active" of this class of reasons, whichever it is.
    assert.equal(REASONS[error.reason].answer, 'evidence')
    return error.reason
  }
}

const bytesOf = (token: string) => Buffer.from(token.slice(OPAQUE_PREFIX.length), 'base64url')
const tokenFrom = (bytes: Buffer) => OPAQUE_PREFIX + bytes.toString('base64url')

/** With one byte of a token replaced. */
function changed(token: string, at: number, by: number): string {
  const bytes = bytesOf(token)
  bytes[at] = by
  return tokenFrom(bytes)
}

/** AES-256-GCM as ours is, with a key and a layout of somebody else's choice. */
function sealedWith(key: Buffer, head: Buffer, claims: object): string {
  const nonce = randomBytes(24)
  const cipher = createCipheriv('aes-256-gcm', key, nonce.subarray(12)).setAAD(head)
  const body = Buffer.concat([cipher.update(JSON.stringify(claims)), cipher.final()])
  return tokenFrom(Buffer.concat([head, nonce, cipher.getAuthTag(), body]))
}

test('a token is refused when it is cut, wherever', async (t) => {
  const made = await stage(t)
  assert.equal(reasonOf(made, made.good), null)
  for (let length = 0; length < made.good.length; length += 1) {
    const reason = reasonOf(made, made.good.slice(0, length))
    // Without its prefix it is no opaque token, and no JWT either.
    assert.ok(
      reason === 'token_malformed' || reason === 'signature_invalid',
      `${length}: ${reason}`,
    )
  }
})

test('a token is refused when one bit of it is another, whichever', async (t) => {
  const made = await stage(t)
  const bytes = bytesOf(made.good)
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const at = bit >> 3
    const bad = changed(made.good, at, (bytes[at] ?? 0) ^ (1 << (bit & 7)))
    const expected = at === 0 ? 'token_malformed' : at < 10 ? 'key_unknown' : 'signature_invalid'
    assert.equal(reasonOf(made, bad), expected, `bit ${bit}`)
  }
})

test('two tokens of the same claims have nothing in common but their head', async (t) => {
  const { signer, claims } = await stage(t)
  const [one, two] = [sealToken(claims, signer), sealToken(claims, signer)]
  assert.deepEqual(bytesOf(one).subarray(0, 10), bytesOf(two).subarray(0, 10))
  assert.notDeepEqual(bytesOf(one).subarray(10, 34), bytesOf(two).subarray(10, 34))
  assert.notDeepEqual(bytesOf(one).subarray(50), bytesOf(two).subarray(50))
})

/** What is wrong, how such a token is made, the reason. */
const ROWS: readonly (readonly [string, (made: Stage) => string, string])[] = [
  ['nothing after the prefix', () => OPAQUE_PREFIX, 'token_malformed'],
  ['no claims', ({ good }) => tokenFrom(bytesOf(good).subarray(0, 50)), 'token_malformed'],
  ['another prefix', ({ good }) => good.replace('_at_', '_rt_'), 'token_malformed'],
  [
    'a prefix in capitals',
    ({ good }) => good.replace('countersign', 'COUNTERSIGN'),
    'token_malformed',
  ],
  ['version 0', ({ good }) => changed(good, 0, 0), 'token_malformed'],
  ['version 2', ({ good }) => changed(good, 0, 2), 'token_malformed'],
  ['padding', ({ good }) => `${good}=`, 'token_malformed'],
  ['a space at its end', ({ good }) => `${good} `, 'token_malformed'],
  ['a line feed in it', ({ good }) => `${good.slice(0, 90)}\n${good.slice(90)}`, 'token_malformed'],
  [
    'plain base64',
    ({ good }) => `${OPAQUE_PREFIX}${bytesOf(good).toString('base64')}+/`,
    'token_malformed',
  ],
  [
    'one more byte',
    ({ good }) => tokenFrom(Buffer.concat([bytesOf(good), Buffer.of(0)])),
    'signature_invalid',
  ],
  [
    'the greatest length',
    () => OPAQUE_PREFIX.padEnd(MAX_OPAQUE_CHARACTERS, 'A'),
    'token_malformed',
  ],
  [
    'a greater length',
    () => OPAQUE_PREFIX.padEnd(MAX_OPAQUE_CHARACTERS + 1, 'A'),
    'evidence_too_large',
  ],
  [
    'another key id',
    ({ claims, signer }) => sealToken(claims, { ...signer, kid: 'A'.repeat(43) }),
    'key_unknown',
  ],
  [
    'the seal of what is kept in the store',
    ({ good, claims }) => {
      const sealed = sealer('s'.repeat(32), 'signing keys').seal(
        Buffer.from(JSON.stringify(claims)),
        'x',
      )
      return tokenFrom(Buffer.concat([bytesOf(good).subarray(0, 10), sealed]))
    },
    'signature_invalid',
  ],
  [
    'the sealing key used without its nonce',
    ({ good, claims, signer }) =>
      sealedWith(signer.sealing.export(), bytesOf(good).subarray(0, 10), claims),
    'signature_invalid',
  ],
  [
    'a key derived from the same scalar for another purpose',
    ({ good, claims, signer }) => {
      const { d = '' } = signer.key.export({ format: 'jwk' })
      const key = hkdfSync('sha256', Buffer.from(d, 'base64url'), '', 'countersign challenges', 32)
      return sealedWith(Buffer.from(key), bytesOf(good).subarray(0, 10), claims)
    },
    'signature_invalid',
  ],
]

for (const [what, make, reason] of ROWS) {
  test(`a token with ${what} is refused as ${reason}`, async (t) => {
    const made = await stage(t)
    assert.equal(reasonOf(made, make(made)), reason)
  })
}

test('a token of another broker is refused, also one that claims to be sealed by our key', async (t) => {
  const [ours, theirs] = [await stage(t), await stage(t)]
  assert.equal(reasonOf(ours, theirs.good), 'key_unknown')
  const posing = sealToken(theirs.claims, { ...theirs.signer, kid: ours.signer.kid })
  assert.equal(reasonOf(ours, posing), 'signature_invalid')
})

test('replicas and restarts open each other’s tokens: what seals comes with the signing key', async (t) => {
  const { signer } = await stage(t)
  assert.ok(sealingKey(signer.key).equals(signer.sealing))
})

suite('fuzz: opaque tokens', () => {
  test('whatever is sent is refused, and never by anything but a Refusal', async (t) => {
    const made = await stage(t)
    const head = fc.constant(bytesOf(made.good).subarray(0, 10))
    const body = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes))
    const hostile = fc.oneof(
      fc.string({ maxLength: 600 }).map((text) => OPAQUE_PREFIX + text),
      body.map(tokenFrom),
      fc.tuple(head, body).map((parts) => tokenFrom(Buffer.concat(parts))),
    )
    fc.assert(fc.property(hostile, (token) => assert.notEqual(reasonOf(made, token), null)))
  })

  test('a good token in which anything was changed is never taken', async (t) => {
    const made = await stage(t)
    const at = fc.nat(made.good.length - 1)
    fc.assert(
      fc.property(at, fc.string({ maxLength: 2 }), fc.nat(2), (index, inserted, removed) => {
        const mutant = made.good.slice(0, index) + inserted + made.good.slice(index + removed)
        assert.equal(reasonOf(made, mutant) === null, mutant === made.good)
      }),
    )
  })

  test('parts of two good tokens make no third', async (t) => {
    const made = await stage(t)
    const other = bytesOf(tokenOf(made.keys, { format: 'opaque', scopes: ['admin'] }))
    const ours = bytesOf(made.good)
    fc.assert(
      fc.property(fc.nat(ours.length), fc.nat(other.length), (from, to) => {
        const spliced = Buffer.concat([ours.subarray(0, from), other.subarray(to)])
        const whole = spliced.equals(ours) || spliced.equals(other)
        assert.equal(reasonOf(made, tokenFrom(spliced)) === null, whole)
      }),
    )
  })
})
