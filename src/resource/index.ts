/** What an API or MCP server imports: a verifier of Countersign's access tokens (RFC 9068 §4). */

import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify } from 'jose'
import { namesOf } from '../lineage.ts'
import { looksOpaque } from '../opaque.ts'
import type { Introspector } from './introspect.ts'
import type { RevocationFeed } from './revocations.ts'

export { FeedRefused } from './feed.ts'
export { type Credential, type Introspector, introspector } from './introspect.ts'
export {
  type FeedOptions,
  type RevocationFeed,
  revocationFeed,
  type Verdict,
} from './revocations.ts'

/** Whose tokens are accepted, and for which audience. */
export type VerifierOptions = {
  /** The broker's issuer identifier, exactly. */
  readonly issuer: string
  /** This resource, as the broker's configuration names it. */
  readonly audience: string
  /**
   * Asks the broker about opaque tokens; without it they are refused. Its answer is verified like every token. This
   * workload has to be in `servedBy` of the resource.
   */
  readonly introspector?: Pick<Introspector, 'phantom'> & Partial<Pick<Introspector, 'claims'>>
  readonly fetch?: typeof fetch
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  /** What was revoked (`revocationFeed`). Absent: a token is good until it ends, revoked or not. */
  readonly revocations?: Pick<RevocationFeed, 'judge'>
  /**
   * What becomes of a token of which the feed cannot tell, because it is over or incomplete, where no introspector
   * can: `refuse`, the default, or `accept`.
   */
  readonly onStale?: 'refuse' | 'accept'
}

/** A token that holds. */
export type VerifiedToken = {
  /** Canonical URI of the workload or user. */
  readonly subject: string
  /** Canonical URI of the current actor. */
  readonly clientId: string
  readonly scopes: readonly string[]
  /** Epoch seconds. */
  readonly expiresAt: number
  readonly claims: Readonly<JWTPayload>
}

/** A token that is not for this resource, not from this broker, or no longer valid: answer 401. */
export class InvalidToken extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'InvalidToken'
  }
}

/** Nobody can say whether the token was revoked: answer 503, and keep the token. */
export class RevocationUnknown extends Error {
  constructor() {
    super('there is no feed of revocations that could tell')
    this.name = 'RevocationUnknown'
  }
}

/** The broker's fault or the network's, not the token's: answer 503, and keep the token. */
const KEYS_UNAVAILABLE = new Set(['ERR_JOSE_GENERIC', 'ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID'])

/**
 * @returns a function that verifies a token: signature by the broker's published keys, `typ` `at+jwt`, issuer, sole
 *   audience, lifetime. It throws InvalidToken for a bad or revoked token, and anything else when keys cannot be had,
 *   the broker cannot be asked, or nobody can say what was revoked.
 */
export function verifier(options: VerifierOptions): (token: string) => Promise<VerifiedToken> {
  const keys = createRemoteJWKSet(
    new URL(`${options.issuer}/jwks`),
    options.fetch === undefined ? {} : { [customFetch]: options.fetch },
  )
  return async (shown) => {
    const token = looksOpaque(shown) ? await opened(shown, options) : shown
    const now = options.now?.() ?? Date.now()
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keys, {
        algorithms: ['ES256'],
        typ: 'at+jwt',
        issuer: options.issuer,
        audience: options.audience,
        requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id'],
        currentDate: new Date(now),
      })
      const verified = read(payload, options.audience)
      await demandUnrevoked(options, shown, payload, protectedHeader.kid ?? null)
      return verified
    } catch (cause) {
      if (!(cause instanceof errors.JOSEError) || KEYS_UNAVAILABLE.has(cause.code)) throw cause
      throw new InvalidToken(cause.message, { cause })
    }
  }
}

/** The JWT of an opaque token. */
async function opened(token: string, { introspector }: VerifierOptions): Promise<string> {
  const jwt = await introspector?.phantom(token)
  if (jwt === undefined) throw new InvalidToken('opaque tokens need an introspector')
  if (jwt === null) throw new InvalidToken('the token is not active')
  return jwt
}

async function demandUnrevoked(
  { revocations, introspector, onStale = 'refuse' }: VerifierOptions,
  shown: string,
  claims: JWTPayload,
  kid: string | null,
): Promise<void> {
  if (revocations === undefined) return
  const verdict = revocations.judge(namesOf(claims, kid), Number(claims.iat))
  if (verdict === 'revoked') throw new InvalidToken('it was revoked')
  if (verdict === 'good') return
  // The broker has just said of it that it is active.
  if (looksOpaque(shown)) return
  if (introspector?.claims !== undefined) {
    if ((await introspector.claims(shown)) !== null) return
    throw new InvalidToken('the token is not active')
  }
  if (onStale === 'refuse') throw new RevocationUnknown()
}

function read(payload: JWTPayload, audience: string): VerifiedToken {
  if (payload.aud !== audience) throw new errors.JWTInvalid('aud is not a single value')
  const scope = payload['scope']
  return {
    subject: String(payload.sub),
    clientId: String(payload['client_id']),
    scopes: typeof scope === 'string' ? scope.split(' ') : [],
    expiresAt: Number(payload.exp),
    claims: payload,
  }
}
