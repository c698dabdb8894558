/** What an API or MCP server imports: a verifier of Countersign's access tokens (RFC 9068 §4), and of who shows them. */

import { randomBytes } from 'node:crypto'
import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify } from 'jose'
import { namesOf } from '../lineage.ts'
import { type Nonces, nonces } from '../nonce.ts'
import { looksOpaque } from '../opaque.ts'
import { epochSeconds } from '../units.ts'
import { boundTo } from './binding.ts'
import { type AnswerHeaders, challenge, InvalidToken } from './failure.ts'
import type { Introspector } from './introspect.ts'
import { type Replays, replayMemory } from './replays.ts'
import { nextNonce, possess, type ResourceRequest, readAuthorization } from './request.ts'
import type { RevocationFeed } from './revocations.ts'

export { FeedRefused } from './feed.ts'
export { type Credential, type Introspector, introspector } from './introspect.ts'
export {
  InvalidReceipts,
  type VerifiedChain,
  type VerifiedHop,
  verifyReceipts,
} from './receipts.ts'
export {
  type FeedOptions,
  type RevocationFeed,
  revocationFeed,
  type Verdict,
} from './revocations.ts'
export { InvalidToken, type Nonces, type Replays, type ResourceRequest, replayMemory }

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
  /** What was revoked (`revocationFeed`). Absent: a token is good until it ends, revoked or not. */
  readonly revocations?: Pick<RevocationFeed, 'judge'>
  /**
   * What becomes of a token of which the feed cannot tell, because it is over or incomplete, where no introspector
   * can: `refuse`, the default, or `accept`.
   */
  readonly onStale?: 'refuse' | 'accept'
  /**
   * Where clients reach this server, without the path of a request: what DPoP proofs have to name. Default: the origin
   * of `audience`, which then has to be a URL.
   */
  readonly publicUrl?: string
  /** What DPoP proofs have to repeat (RFC 9449 §9): `proofNonces(secret)`. Default: they need no nonce. */
  readonly nonces?: Nonces
  /** Where DPoP proofs are remembered, so that each is good once. Default: `replayMemory()`. */
  readonly replays?: Replays
  readonly fetch?: typeof fetch
  /** Milliseconds since the epoch. */
  readonly now?: () => number
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
  /** What the answer should carry: the nonce of the caller's next proof, where there are nonces. */
  readonly headers: AnswerHeaders
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
 * Nonces for the proofs of this server's clients.
 * @param secret at least 32 characters, the same for all replicas
 */
export function proofNonces(secret: string): Nonces {
  return nonces(secret, randomBytes)
}

/**
 * Verifies what was shown: a whole request, or a token by itself. Of a token by itself nobody can tell who shows it, so
 * one that is bound to a key is refused.
 * @throws InvalidToken for a bad token or a caller who does not hold its key, anything else when keys cannot be had,
 *   the broker cannot be asked, or nobody can say what was revoked
 */
export type Verify = (shown: string | ResourceRequest) => Promise<VerifiedToken>

/**
 * @returns a function that verifies a token: signature by the broker's published keys, `typ` `at+jwt`, issuer, sole
 *   audience, lifetime; and of a request that its caller holds the key that the token is bound to
 */
export function verifier(options: VerifierOptions): Verify {
  const keys = createRemoteJWKSet(
    new URL(`${options.issuer}/jwks`),
    options.fetch === undefined ? {} : { [customFetch]: options.fetch },
  )
  const { publicUrl = originOf(options.audience), replays = replayMemory() } = options
  const given = options.nonces ?? null
  const judge = possess({ publicUrl, nonces: given, replays })

  async function claimsOf(token: string, now: number) {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      algorithms: ['ES256'],
      typ: 'at+jwt',
      issuer: options.issuer,
      audience: options.audience,
      requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id'],
      currentDate: new Date(now),
    })
    if (payload.aud !== options.audience) throw new errors.JWTInvalid('aud is not a single value')
    return { claims: payload, kid: protectedHeader.kid ?? null }
  }

  return async (shown) => {
    const now = options.now?.() ?? Date.now()
    const request = typeof shown === 'string' ? null : shown
    const authorization =
      typeof shown === 'string'
        ? ({ scheme: 'Bearer', token: shown } as const)
        : readAuthorization(shown)
    const { scheme, token } = authorization
    try {
      const jwt = looksOpaque(token) ? await opened(token, options) : token
      const { claims, kid } = await claimsOf(jwt, now)
      if (request !== null) await judge(request, authorization, claims, epochSeconds(now))
      else if (!boundTo(claims, {}))
        throw new InvalidToken('the token is bound: verify the request')
      await demandUnrevoked(options, token, claims, kid)
      return read(claims, scheme === 'DPoP' ? nextNonce(given, epochSeconds(now)) : {})
    } catch (cause) {
      if (!(cause instanceof errors.JOSEError) || KEYS_UNAVAILABLE.has(cause.code)) throw cause
      throw new InvalidToken(cause.message, { cause }, challenge(scheme, 'invalid_token'))
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

/** Empty where the audience is a name: no proof is for it. */
function originOf(audience: string): string {
  const origin = URL.parse(audience)?.origin ?? 'null'
  return origin === 'null' ? '' : origin
}

function read(payload: JWTPayload, headers: AnswerHeaders): VerifiedToken {
  const scope = payload['scope']
  return {
    subject: String(payload.sub),
    clientId: String(payload['client_id']),
    scopes: typeof scope === 'string' ? scope.split(' ') : [],
    expiresAt: Number(payload.exp),
    claims: payload,
    headers,
  }
}
