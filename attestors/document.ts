/**
 * What the signed documents of machines have in common (RFC 9334 §8.4): evidence beside a first one, bound to our
 * challenge, dated by the platform, and written in base64. No I/O. No clock.
 */

import { timingSafeEqual } from 'node:crypto'
import { Refusal } from '../src/refusal.ts'

/** How far the platform's clock may run ahead of ours. */
const SKEW_SECONDS = 60
/** A document is made for one challenge, and shown at once. */
const MAX_AGE_SECONDS = 300

/**
 * The bytes of a document. Either alphabet of base64 will do; padding and everything else is as the encoder writes it.
 * @throws Refusal `evidence_too_large`, `document_malformed`
 */
export function decodeDocument(text: string, maxBytes: number): Buffer {
  const maxCharacters = Math.ceil(maxBytes / 3) * 4
  if (text.length > maxCharacters) {
    throw new Refusal('evidence_too_large', { characters: text.length, maxCharacters })
  }
  const bytes = Buffer.from(text, 'base64')
  const isCanonical = bytes.toString('base64') === text || bytes.toString('base64url') === text
  if (isCanonical && bytes.length > 0) return bytes
  throw new Refusal('document_malformed', { encoding: 'base64', problem: 'not canonical' })
}

/**
 * @param signed what the platform signed as its nonce
 * @throws Refusal `challenge_unknown` unless it is the challenge, byte by byte
 */
export function checkAnswer(signed: Buffer | null, challenge: string): void {
  const expected = Buffer.from(challenge)
  const isAnswer = signed?.length === expected.length && timingSafeEqual(signed, expected)
  if (isAnswer && expected.length > 0) return
  throw new Refusal('challenge_unknown', {
    expected: 'our challenge as the nonce',
    found: signed === null ? 'no nonce' : 'another nonce',
  })
}

/** @throws Refusal `token_premature` unless the document was made by now */
export function checkMade(issuedAt: number, nowSeconds: number): void {
  const secondsAhead = issuedAt - nowSeconds
  if (secondsAhead <= SKEW_SECONDS) return
  const detail = { issuedAt, secondsAhead, toleratedSeconds: SKEW_SECONDS }
  throw new Refusal('token_premature', detail)
}

/** @throws Refusal `token_premature`, `token_stale` unless the document was made just now */
export function checkAge(issuedAt: number, nowSeconds: number): void {
  checkMade(issuedAt, nowSeconds)
  const ageSeconds = nowSeconds - issuedAt
  if (ageSeconds > MAX_AGE_SECONDS) {
    throw new Refusal('token_stale', { issuedAt, ageSeconds, maxAgeSeconds: MAX_AGE_SECONDS })
  }
}
