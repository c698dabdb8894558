/**
 * The signed feed of revocations, for resource servers that judge tokens by themselves: a compact JWS that holds
 * nothing but hashes. It is signed anew when something changed, and often enough never to expire at whoever polls it.
 */

import { hash } from 'node:crypto'
import type { SigningKeys } from './keys.ts'
import type { Revocations } from './revocations.ts'
import { signStatement } from './statement.ts'
import type { RevocationRecord } from './store/store.ts'

/** The `typ` of the feed: no token, and no answer about one (RFC 8725 §3.11). */
export const FEED_TYPE = 'revocations+jwt'

/** Entries at most: about 0.8 MB. Tokens are left out first, those that end first before others. */
export const FEED_LIMIT = 10_000

/** How long a feed may be believed. Whoever has none that is younger no longer knows what was revoked. */
const LIFETIME_SECONDS = 60

/** A feed that says nothing new is signed again after this. */
const RENEW_SECONDS = 20

/** The claims of a feed. Instants in epoch seconds. */
export type FeedClaims = {
  readonly iss: string
  readonly iat: number
  readonly exp: number
  /** Grows with every change; of two feeds the one with the higher `seq` is the truth. */
  readonly seq: number
  /** There are more than these: a token that meets none of them may still be revoked. Absent: there are not. */
  readonly truncated?: true
  readonly revocations: readonly FeedEntry[]
}

/** A name that is out of use, or was for what is older. */
export type FeedEntry = {
  /** See `lineage.ts`. */
  readonly hash: string
  /** Absent until it is lifted; then only tokens with a smaller `iat` are revoked. */
  readonly issued_before?: number
  /** When the entry may be forgotten; absent while that is open. */
  readonly until?: number
}

/** A feed as it is sent. */
export type Feed = { readonly jws: string; readonly etag: string }

/** Makes the feed. */
export type Feeds = {
  /**
   * The feed of this moment. It is made at most once a second.
   * @throws Refusal `revocations_stale` when nobody can say what was revoked
   */
  current(): Promise<Feed>
  /** Entries that did not fit into the last feed. */
  omitted(): number
}

/** What feeds are made of. */
export type FeedRoom = {
  readonly issuer: string
  readonly keys: Pick<SigningKeys, 'signer'>
  readonly revocations: Pick<Revocations, 'refresh' | 'insist' | 'standing' | 'sequence'>
  /** Epoch seconds. */
  readonly seconds: () => number
}

type Made = Feed & { readonly seq: number; readonly kid: string; readonly signedAt: number }

export function feeds({ issuer, keys, revocations, seconds }: FeedRoom): Feeds {
  let made: Made | null = null
  let making: Promise<Made> | null = null
  let lookedAt = Number.NEGATIVE_INFINITY
  let omitted = 0

  async function look(now: number): Promise<Made> {
    // What another replica has answered a moment ago is in here too. Without the store the view speaks, while it may.
    await revocations.refresh().catch(() => undefined)
    revocations.insist()
    const signer = keys.signer(now)
    const seq = revocations.sequence()
    const isNews = made?.seq !== seq || made.kid !== signer.kid
    if (made === null || isNews || now - made.signedAt >= RENEW_SECONDS) {
      const claims = feedOf(issuer, seq, revocations.standing(now), now)
      omitted = claims.omitted
      const jws = signStatement(FEED_TYPE, claims.body, signer)
      made = { jws, etag: etagOf(jws), seq, kid: signer.kid, signedAt: now }
    }
    lookedAt = now
    return made
  }

  return {
    async current() {
      const now = seconds()
      if (made !== null && lookedAt === now) return made
      making ??= look(now).finally(() => {
        making = null
      })
      return making
    },
    omitted: () => omitted,
  }
}

function feedOf(
  iss: string,
  seq: number,
  standing: readonly RevocationRecord[],
  now: number,
): { readonly body: FeedClaims; readonly omitted: number } {
  const omitted = Math.max(0, standing.length - FEED_LIMIT)
  const told = omitted === 0 ? standing : standing.toSorted(byWeight).slice(0, FEED_LIMIT)
  const body = {
    ...{ iss, iat: now, exp: now + LIFETIME_SECONDS, seq },
    ...(omitted > 0 && { truncated: true as const }),
    revocations: told.map(entryOf),
  }
  return { body, omitted }
}

/** What stops many tokens comes before single ones, and of these the ones that live longest. */
function byWeight(one: RevocationRecord, other: RevocationRecord): number {
  const [first, second] = [one, other].map(({ kind }) => (kind === 'token' ? 1 : 0))
  return (first ?? 0) - (second ?? 0) || (other.until ?? 0) - (one.until ?? 0)
}

function entryOf({ name, liftedAt, until }: RevocationRecord): FeedEntry {
  return {
    hash: name,
    ...(liftedAt !== null && { issued_before: liftedAt + 1 }),
    ...(until !== null && { until }),
  }
}

function etagOf(jws: string): string {
  return `"${hash('sha256', jws, 'base64url').slice(0, 22)}"`
}
