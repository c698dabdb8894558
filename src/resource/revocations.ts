/**
 * What a resource server knows of revocations: it polls the broker's signed feed, and judges tokens by the last good one.
 * What it does not know it does not guess.
 */

import { createRemoteJWKSet, customFetch, errors } from 'jose'
import { systemTimers, type Timers } from '../net/timers.ts'
import { epochSeconds } from '../units.ts'
import { type Feed, FeedRefused, MAX_FEED_CHARACTERS, readFeed } from './feed.ts'

const POLL_SECONDS = 5
const TIMEOUT_MS = 5_000

/** Where the feed is, and how often it is read. */
export type FeedOptions = {
  /** The broker's issuer identifier, exactly. */
  readonly issuer: string
  /** Seconds between two reads, 5 when absent. A revocation is seen here that much later. */
  readonly everySeconds?: number
  readonly fetch?: typeof fetch
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  readonly timers?: Timers
}

/** `unknown`: there is no feed that is not over, or it says that it is incomplete and no entry meets the token. */
export type Verdict = 'revoked' | 'good' | 'unknown'

/** The feed of one broker. */
export type RevocationFeed = {
  /**
   * @param names of a token
   * @param issuedAt its `iat`
   */
  judge(names: Iterable<string>, issuedAt: number): Verdict
  /**
   * Reads the feed now. Await it once before the first token, so that none is refused for want of a feed.
   * @throws FeedRefused for a feed that must not be believed, another error when there is none to be had
   */
  refresh(): Promise<void>
  /** Why the last read failed; null when it did not. */
  problem(): string | null
  close(): void
}

/** Starts to poll. A read that fails changes nothing: the last good feed counts until it expires. */
export function revocationFeed(options: FeedOptions): RevocationFeed {
  const { issuer, everySeconds = POLL_SECONDS, now = Date.now, timers = systemTimers } = options
  const http = options.fetch ?? fetch
  // Only our own polls ask for keys here, so a new one is asked for at once: it may come with the end of the old.
  const asking = { [customFetch]: http, cooldownDuration: 0 }
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`), asking)
  let feed: Feed | null = null
  let etag: string | null = null
  let failed: string | null = null
  let cancel = () => {}
  let closed = false

  async function read(): Promise<void> {
    const response = await http(`${issuer}/revocations`, {
      headers: etag === null ? {} : { 'if-none-match': etag },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (response.status === 304) return
    if (!response.ok) throw new Error(`the broker answered ${response.status}`)
    const jws = await bounded(response)
    feed = await readFeed(jws, { issuer, keys, before: feed, nowSeconds: epochSeconds(now()) })
    etag = response.headers.get('etag')
  }

  async function refresh(): Promise<void> {
    try {
      await read()
      failed = null
    } catch (error) {
      const refused = refusal(error)
      failed = refused.message
      throw refused
    }
  }

  function pollLater(): void {
    cancel = timers.after(everySeconds * 1000, () => {
      // Why it failed is kept in `problem`.
      void refresh()
        .catch(() => undefined)
        .then(() => {
          if (!closed) pollLater()
        })
    })
  }

  pollLater()
  return {
    refresh,
    judge(names, issuedAt) {
      if (feed === null || feed.expiresAt <= epochSeconds(now())) return 'unknown'
      for (const name of names) {
        if (issuedAt < (feed.issuedBefore.get(name) ?? Number.NEGATIVE_INFINITY)) return 'revoked'
      }
      return feed.truncated ? 'unknown' : 'good'
    },
    problem: () => failed,
    close() {
      closed = true
      cancel()
    },
  }
}

/** What jose refuses is a bad feed, unless it could not get the keys. */
function refusal(error: unknown): Error {
  const unreachable = new Set(['ERR_JOSE_GENERIC', 'ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID'])
  if (error instanceof errors.JOSEError && !unreachable.has(error.code)) {
    return new FeedRefused(error.message, { cause: error })
  }
  return error instanceof Error ? error : new Error(String(error))
}

/** The body as text, read no further than a feed may be long. */
async function bounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > MAX_FEED_CHARACTERS) throw new FeedRefused('it is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('latin1')
}
