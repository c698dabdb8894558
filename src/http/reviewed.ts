/**
 * Callers of the admin listener known by a Kubernetes token: the API server says whose it is (TokenReview,
 * authentication.k8s.io/v1). The answer is kept for a minute, by the token's hash.
 */

import { hash } from 'node:crypto'
import { isObject, type JsonObject } from '../net/json.ts'
import type { Authenticator } from './access.ts'

/** Asks the API server; rejects when it does not answer with a TokenReview. */
export type PostReview = (path: string, body: JsonObject) => Promise<JsonObject>

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews'
/** A scraper comes every few seconds. A token that is taken back is refused a minute later. */
const KEEP_MS = 60_000
const MAX_KEPT = 256
/** Reviews under way at once: a flood of strangers must not reach the API server. */
const MAX_REVIEWS = 16

/** What knowing callers by token needs. */
export type ReviewOptions = {
  readonly post: PostReview
  /** The audience that a token must have. Never empty: that would mean the API server's own. */
  readonly audience: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

type Kept = { readonly names: readonly string[]; readonly until: number }

/** Knows callers by the bearer token (RFC 6750 §2.1) of each request. */
export function byTokenReview({ post, audience, now }: ReviewOptions): Authenticator {
  const kept = new Map<string, Kept>()
  let underWay = 0

  const review = async (token: string): Promise<readonly string[]> => {
    if (underWay >= MAX_REVIEWS) throw new Error(`${MAX_REVIEWS} reviews are already under way`)
    underWay += 1
    try {
      const answer = await post(PATH, {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, audiences: [audience] },
      })
      return readNames(answer, audience)
    } finally {
      underWay -= 1
    }
  }

  return async ({ headers }) => {
    const [, token] = /^Bearer +([\w~+/.-]+=*)$/i.exec(headers.authorization ?? '') ?? []
    if (token === undefined) return []
    const key = hash('sha256', token, 'base64url')
    const known = kept.get(key)
    if (known !== undefined && now() < known.until) return known.names
    const names = await review(token)
    kept.delete(key)
    // The oldest goes first: a Map keeps the order of insertion.
    for (const oldest of kept.size < MAX_KEPT ? [] : [...kept.keys()].slice(0, 1))
      kept.delete(oldest)
    kept.set(key, { names, until: now() + KEEP_MS })
    return names
  }
}

function readNames(answer: JsonObject, audience: string): readonly string[] {
  const { status } = answer
  if (!isObject(status)) throw new Error('the API server did not answer with a TokenReview')
  const { authenticated, error = '', audiences, user } = status
  if (authenticated !== true || error !== '') return []
  // An authenticator that knows nothing of audiences returns none, and has checked none.
  if (!Array.isArray(audiences) || !audiences.includes(audience)) return []
  const name = isObject(user) ? user['username'] : undefined
  return typeof name === 'string' && name !== '' ? [name] : []
}
