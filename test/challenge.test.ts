/** Challenges: only ours, only for a short while, and only as we write them. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { CHALLENGE_SECONDS, type Challenges, challenges } from '../src/challenge.ts'
import { refused } from './world/attest.ts'

const NOW = 1_795_000_000
const SECRET = 'a secret of at least thirty-two characters'

function ours(secret = SECRET): Challenges {
  return challenges(secret, randomBytes)
}

test('a challenge fits every platform: 31 letters and digits, each time another', () => {
  const issued = Array.from({ length: 200 }, () => ours().issue(NOW))
  assert.equal(new Set(issued).size, 200)
  for (const challenge of issued) assert.match(challenge, /^[0-9a-z]{31}$/)
})

test('a replica with the same secret takes it until its last second', () => {
  const challenge = ours().issue(NOW)
  assert.equal(ours().check(challenge, NOW), NOW + CHALLENGE_SECONDS)
  assert.equal(ours().check(challenge, NOW + CHALLENGE_SECONDS - 1), NOW + CHALLENGE_SECONDS)
})

test('a challenge at its end is challenge_expired', async () => {
  const challenge = ours().issue(NOW)
  await refused(() => ours().check(challenge, NOW + CHALLENGE_SECONDS), 'challenge_expired')
})

const good = ours().issue(NOW)
const FOREIGN: readonly (readonly [string, string])[] = [
  ['of another broker', ours('another secret of thirty-two characters').issue(NOW)],
  ['in capital letters', good.toUpperCase()],
  ['with a space', `${good} `],
  ['cut', good.slice(1)],
  ['longer', `0${good}`],
  ['empty', ''],
  ['too large a number', 'z'.repeat(31)],
]
for (const [what, challenge] of FOREIGN) {
  test(`a challenge ${what} is challenge_unknown`, async () => {
    await refused(() => ours().check(challenge, NOW), 'challenge_unknown')
  })
}

test('a challenge with any character changed is challenge_unknown', async () => {
  for (let at = 0; at < good.length; at += 1) {
    const other = good[at] === '1' ? '2' : '1'
    const changed = good.slice(0, at) + other + good.slice(at + 1)
    await refused(() => ours().check(changed, NOW), 'challenge_unknown')
  }
})

test('no text but ours is a challenge', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ maxLength: 64 }), async (text) => {
      await refused(() => ours().check(text, NOW), 'challenge_unknown')
    }),
  )
})
