/** Nonces of DPoP proofs: rotating, good for a while, known to every replica and to nobody else's. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { challenges } from '../src/challenge.ts'
import { type Nonces, nonces } from '../src/nonce.ts'
import { refused } from './world/attest.ts'

const NOW = 1_795_000_000
const SECRET = 'a secret of at least thirty-two characters'

function ours(secret = SECRET): Nonces {
  return nonces(secret, randomBytes)
}

test('one nonce is offered for a minute, then the next', () => {
  const server = ours()
  const first = server.offer(NOW)
  assert.equal(server.offer(NOW + 59), first)
  const second = server.offer(NOW + 60)
  assert.notEqual(second, first)
  assert.equal(server.offer(NOW + 61), second)
})

test('a nonce is good from when it is offered until a minute after the next one is', async () => {
  const nonce = ours().offer(NOW)
  for (const at of [NOW, NOW + 60, NOW + 119]) ours().check(nonce, at)
  const { detail } = await refused(() => ours().check(nonce, NOW + 120), 'nonce_stale')
  assert.deepEqual(detail, { secondsAgo: 0 })
})

test('a clock that is set back does not keep a nonce for longer', () => {
  const server = ours()
  const first = server.offer(NOW)
  assert.notEqual(server.offer(NOW - 1000), first)
})

test('without a nonce a proof is refused as nonce_missing', async () => {
  await refused(() => ours().check(undefined, NOW), 'nonce_missing')
})

const FOREIGN: readonly (readonly [string, string])[] = [
  ['of another broker', ours('another secret of thirty-two characters').offer(NOW)],
  ['that is a challenge', challenges(SECRET, randomBytes).issue(NOW)],
  ['in capital letters', ours().offer(NOW).toUpperCase()],
  ['that is empty', ''],
]
for (const [what, nonce] of FOREIGN) {
  test(`a nonce ${what} is nonce_stale`, async () => {
    await refused(() => ours().check(nonce, NOW), 'nonce_stale')
  })
}

test('no text but ours is a nonce', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ maxLength: 64 }), async (text) => {
      await refused(() => ours().check(text, NOW), 'nonce_stale')
    }),
  )
})
