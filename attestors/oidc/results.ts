/**
 * Attestation results (RFC 9334 §8.4) as second evidence: what a platform measured of a machine, joined to a first
 * evidence that names the same machine. A result is bound by our challenge, which the platform signed; whether the
 * challenge is ours and unused is for whoever asks.
 */

import type { AttestorHealth, Facts, Proof, TrustCommon } from '../../src/identity.ts'
import { parseJwt, soleAudience, type UnverifiedJwt } from '../../src/net/jwt.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { checkIssuer, checkWindow } from '../claims.ts'
import { type JwtWorld, jwtVerifier } from '../jwt.ts'
import { readerOf } from './attestor.ts'
import { type Reading, readToken, screenClaims } from './profile.ts'
import { type OidcRules, rulesOf } from './rules.ts'
import type { OidcSettings } from './settings.ts'

/** What a result proved. Its facts are of grade A, and its `subject` is the machine as the platform names it. */
export type AttestationResult = Reading & {
  readonly facts: Facts
  /** Epoch seconds. Nothing that rests on the result may outlive `expiresAt`. */
  readonly issuedAt: number
  readonly expiresAt: number
}

/** Verifies the results of one entry. */
export type ResultVerifier = {
  readonly trust: string
  readonly issuer: string
  /**
   * What a result says it repeats. Nothing is proved by it.
   * @throws Refusal `challenge_unknown` when it repeats nothing, and those of `parseJwt`
   */
  claimedChallenge(token: string): string
  /**
   * Does what must wait, after the checks that cost nothing; `verify` then runs to the end at once.
   * @param token the result as received
   * @param challenge what it has to repeat, exactly
   * @throws Refusal `challenge_unknown` when it repeats something else, and those of `parseJwt`, `checkWindow`, the
   *   key source, and the claims of its platform
   */
  prepare(
    token: string,
    challenge: string,
    nowSeconds: number,
  ): Proof<AttestationResult> | Promise<Proof<AttestationResult>>
  start(): Promise<void>
  health(): AttestorHealth
  close(): void
}

/** @param settings of a preset whose platform signs challenges: `azure-attestation`, `confidential-space` */
export function resultVerifier(
  settings: OidcSettings,
  common: TrustCommon,
  world: JwtWorld,
): ResultVerifier {
  const rules = rulesOf(settings)
  const { trust, audience } = common
  const { start, health, close, prepare } = jwtVerifier(
    {
      trust,
      algorithms: rules.algorithms,
      readKeys: readerOf(rules, world),
      profile: {
        screen: (jwt, nowSeconds) => screenResult(jwt, rules, audience, nowSeconds),
        identify: (jwt, nowSeconds) => identify(jwt, rules, nowSeconds),
      },
    },
    world,
  )
  const parse = (token: string) => parseJwt(token, { unread: rules.preset?.unread ?? [] })
  return {
    trust,
    issuer: rules.issuer,
    start,
    health,
    close,
    claimedChallenge(token) {
      const [claimed] = signedChallenges(parse(token), rules)
      if (typeof claimed === 'string' && claimed !== '') return claimed
      throw new Refusal('challenge_unknown', { expected: 'a challenge', found: 'none' })
    },
    prepare(token, challenge, nowSeconds) {
      const jwt = parse(token)
      checkChallenge(jwt, rules, challenge)
      const bound = (proof: Proof<AttestationResult>): Proof<AttestationResult> => ({
        verify(now) {
          const result = proof.verify(now)
          checkChallenge(jwt, rules, challenge)
          return result
        },
      })
      const proof = prepare(jwt, nowSeconds)
      return proof instanceof Promise ? proof.then(bound) : bound(proof)
    },
  }
}

function screenResult(
  { claims }: UnverifiedJwt,
  rules: OidcRules,
  audience: string,
  nowSeconds: number,
): void {
  checkIssuer(claims, rules.issuer)
  // A platform that knows audiences made this one out to somebody; it has to be us.
  if (rules.preset?.principal !== null && soleAudience(claims) !== audience) {
    throw new Refusal('audience_wrong', { expected: audience, found: printable(claims['aud']) })
  }
  screenClaims(claims, rules, nowSeconds)
}

function identify(jwt: UnverifiedJwt, rules: OidcRules, nowSeconds: number): AttestationResult {
  const window = checkWindow(jwt.claims, nowSeconds, rules.maxLifetimeSeconds)
  return { ...readToken(jwt, rules, window), ...window }
}

function signedChallenges({ claims }: UnverifiedJwt, rules: OidcRules) {
  return rules.preset?.challenge?.(claims) ?? []
}

/** @throws Refusal `challenge_unknown` */
function checkChallenge(jwt: UnverifiedJwt, rules: OidcRules, challenge: string): void {
  const signed = signedChallenges(jwt, rules)
  if (challenge !== '' && signed.includes(challenge)) return
  throw new Refusal('challenge_unknown', { expected: 'our challenge', found: printable(signed) })
}
