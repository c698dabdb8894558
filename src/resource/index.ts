/** What an API or MCP server imports: a verifier of Countersign's access tokens (RFC 9068 §4), and of who shows them. */

import { randomBytes } from 'node:crypto'
import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify } from 'jose'
import { type Nonces, nonces } from '../nonce.ts'
import { epochSeconds } from '../units.ts'
import { boundTo } from './binding.ts'
import { type AnswerHeaders, challenge, InvalidToken } from './failure.ts'
import { type Replays, replayMemory } from './replays.ts'
import { nextNonce, possess, type ResourceRequest, readAuthorization } from './request.ts'

export { InvalidToken, type Nonces, type Replays, type ResourceRequest, replayMemory }

/** Whose tokens are accepted, and for which audience. */
export type VerifierOptions = {
  /** The broker's issuer identifier, exactly. */
  readonly issuer: string
  /** This resource, as the broker's configuration names it. */
  readonly audience: string
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
 * @throws InvalidToken for a bad token or a caller who does not hold its key, anything else when keys cannot be had
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

  async function claimsOf(token: string, now: number): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ['ES256'],
      typ: 'at+jwt',
      issuer: options.issuer,
      audience: options.audience,
      requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id'],
      currentDate: new Date(now),
    })
    if (payload.aud !== options.audience) throw new errors.JWTInvalid('aud is not a single value')
    return payload
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
      const claims = await claimsOf(token, now)
      if (request !== null) await judge(request, authorization, claims, epochSeconds(now))
      else if (!boundTo(claims, {}))
        throw new InvalidToken('the token is bound: verify the request')
      return read(claims, scheme === 'DPoP' ? nextNonce(given, epochSeconds(now)) : {})
    } catch (cause) {
      if (!(cause instanceof errors.JOSEError) || KEYS_UNAVAILABLE.has(cause.code)) throw cause
      throw new InvalidToken(cause.message, { cause }, challenge(scheme, 'invalid_token'))
    }
  }
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
