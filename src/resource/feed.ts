/** One feed of revocations as a resource server takes it: every check of its signature, its claims and its place in time. */

import { type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { nameOf } from '../lineage.ts'

/** The `typ` of a feed: nothing else that the broker signs is one. */
const FEED_TYPE = 'revocations+jwt'

/** No feed is longer: the broker leaves entries out, and says so, before it comes near. */
export const MAX_FEED_CHARACTERS = 2_000_000

/** How far the broker's clock may be ahead of ours. */
const SKEW_SECONDS = 60

/** A feed that was taken. Instants in epoch seconds. */
export type Feed = {
  readonly seq: number
  readonly issuedAt: number
  readonly expiresAt: number
  /** Whether the broker knows more revocations than these. */
  readonly truncated: boolean
  /** By name: tokens with a smaller `iat` are revoked. */
  readonly issuedBefore: ReadonlyMap<string, number>
}

/** A feed that must not be believed. What was known before goes on until it ends. */
export class FeedRefused extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'FeedRefused'
  }
}

/** What a feed is held against. */
export type FeedChecks = {
  readonly issuer: string
  readonly keys: JWTVerifyGetKey
  /** The last feed that was taken; null for none. */
  readonly before: Feed | null
  readonly nowSeconds: number
}

/**
 * Reads a feed.
 * @returns `before` itself where this is merely an older copy of it
 * @throws FeedRefused for one that must not be believed, an error of jose's where keys cannot be had
 */
export async function readFeed(jws: string, checks: FeedChecks): Promise<Feed> {
  const { issuer, keys, before, nowSeconds } = checks
  if (jws.length > MAX_FEED_CHARACTERS) throw new FeedRefused('it is too long')
  const { payload, protectedHeader } = await jwtVerify(jws, keys, {
    algorithms: ['ES256'],
    typ: FEED_TYPE,
    issuer,
    requiredClaims: ['iat', 'exp', 'seq', 'revocations'],
    currentDate: new Date(nowSeconds * 1000),
  })
  const feed = understood(payload)
  if (feed.issuedAt > nowSeconds + SKEW_SECONDS) throw new FeedRefused('it is from the future')
  if (before !== null && feed.seq < before.seq) {
    throw new FeedRefused(`it goes back, from ${before.seq} to ${feed.seq}`)
  }
  // Who holds a key that was taken out of use could otherwise hide just that.
  const signer = nameOf('key', protectedHeader.kid ?? '')
  if (before?.issuedBefore.has(signer) === true || feed.issuedBefore.has(signer)) {
    throw new FeedRefused('its key is revoked')
  }
  return before !== null && feed.issuedAt < before.issuedAt ? before : feed
}

function understood(claims: JWTPayload): Feed {
  const { seq, iat, exp, truncated = false, revocations } = claims
  const isCounted = Number.isSafeInteger(seq) && Number(seq) >= 0
  if (!isCounted || typeof truncated !== 'boolean' || !Array.isArray(revocations)) {
    throw new FeedRefused('its claims are not those of a feed')
  }
  return {
    seq: Number(seq),
    issuedAt: Number(iat),
    expiresAt: Number(exp),
    truncated,
    issuedBefore: new Map(revocations.map(entry)),
  }
}

function entry(value: unknown): [string, number] {
  if (typeof value !== 'object' || value === null) throw new FeedRefused('an entry is no object')
  const { hash, issued_before: bound = Number.POSITIVE_INFINITY } = value as Record<string, unknown>
  if (typeof hash !== 'string' || !/^[\w-]{16}$/.test(hash) || typeof bound !== 'number') {
    throw new FeedRefused('an entry is malformed')
  }
  return [hash, bound]
}
