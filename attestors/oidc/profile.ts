/**
 * The profile of an OpenID Connect token: what is judged before the key, and what is read once its signature holds.
 * No I/O. No clock.
 */

import type { Fact, Facts, Identity, TrustCommon } from '../../src/identity.ts'
import type { JsonObject } from '../../src/net/json.ts'
import { digestOf, soleAudience, type UnverifiedJwt } from '../../src/net/jwt.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { checkAudience, checkIssuer, checkWindow, invalidClaim, type Window } from '../claims.ts'
import { signedFacts } from '../facts.ts'
import type { JwtProfile } from '../jwt.ts'
import { claimAt } from './places.ts'
import { checkRequirements } from './requirements.ts'
import type { OidcRules } from './rules.ts'
import { renderSubject } from './subject.ts'
import { readFacts } from './typed.ts'

const PLAIN = 'OidcSubject'

/** What a token that holds says of its subject: the part that first and second evidence have in common. */
export type Reading = {
  /** As it stands in ids, percent-encoded. */
  readonly subject: string
  readonly facts: Facts
  readonly lineage: readonly string[]
}

/** The profile of one entry. */
export function oidcProfile(rules: OidcRules, { trust, audience }: TrustCommon): JwtProfile {
  return {
    screen(jwt, nowSeconds) {
      const { claims } = jwt
      checkIssuer(claims, rules.issuer)
      checkPurpose(claims, rules, audience)
      screenClaims(claims, rules, nowSeconds)
    },
    identify(jwt, nowSeconds): Identity {
      const window = checkWindow(jwt.claims, nowSeconds, rules.maxLifetimeSeconds)
      const { subject, facts, lineage } = readToken(jwt, rules, window)
      const id = `${rules.name}/${subject}`
      return {
        kind: 'oidc',
        trust,
        uri: `oidc://${id}`,
        principal: { type: rules.preset?.principal ?? PLAIN, id },
        ancestry: [],
        facts,
        ...window,
        replay: { policy: rules.replay, key: replayKey(jwt, rules) },
        lineage,
      }
    },
  }
}

/**
 * Whom the token is for. Some tokens lie ready for others, and showing them here would give those away.
 * @throws Refusal `audience_wrong`, `token_foreign`
 */
function checkPurpose(claims: JsonObject, { preset }: OidcRules, audience: string): void {
  const request = preset?.request.replace('<ours>', audience) ?? `ask for the audience ${audience}`
  if (preset?.principal === null) {
    const hint = 'a result is for nobody: it serves only as a second evidence'
    throw new Refusal('audience_wrong', { found: printable(claims['aud']), hint })
  }
  const found = soleAudience(claims)
  if (found !== audience && found !== undefined && preset?.defaultAudience?.test(found)) {
    const hint = `this is the platform's default audience; ${request}`
    throw new Refusal('token_foreign', { expected: audience, found: printable(found), hint })
  }
  checkAudience(claims, [audience], request)
}

/**
 * The checks of first and second evidence that cost nothing, audience and issuer excepted.
 * @throws Refusal `claim_invalid`, `subject_untrusted`, and those of `checkWindow`
 */
export function screenClaims(claims: JsonObject, rules: OidcRules, nowSeconds: number): Window {
  // Somebody's token in somebody else's hands, or one that is worth something only with its key (RFC 7800).
  if ('act' in claims && !rules.preset?.hasOwnAct) {
    throw invalidClaim('act', 'absent: a workload speaks for itself', claims['act'])
  }
  if ('cnf' in claims)
    throw invalidClaim('cnf', 'absent: its proof is not asked for', claims['cnf'])
  const window = checkWindow(claims, nowSeconds, rules.maxLifetimeSeconds)
  checkRequirements(claims, rules.requirements)
  return window
}

/**
 * Reads a token whose signature holds and which `screenClaims` has passed.
 * @throws Refusal `claim_invalid`
 */
export function readToken({ claims }: UnverifiedJwt, rules: OidcRules, window: Window): Reading {
  rules.preset?.check?.(claims)
  const values: Record<string, Fact['value'] | undefined> = readFacts(claims, rules.facts)
  const subject = renderSubject(rules.subject, claims)
  const observedAt = window.issuedAt
  values['claims'] = listed(rules, values)
  const facts: Facts = {
    entry: { value: rules.name, grade: 'A', source: 'configuration', observedAt },
    subject: { value: subject, grade: 'A', source: 'token', observedAt },
    ...signedFacts(values, observedAt),
  }
  return { subject, facts, lineage: lineageOf(claims, rules) }
}

/** The claims of a plain entry once more as one set of texts, which policies can ask without a schema of their own. */
function listed(rules: OidcRules, values: Readonly<Record<string, unknown>>): string[] | undefined {
  if (rules.preset !== null || rules.facts.length === 0) return undefined
  return rules.facts.flatMap(([name, { place }]) => {
    const value = values[name]
    const items = Array.isArray(value) ? value : value === undefined ? [] : [value]
    return items.map((item) => `${place}=${item}`)
  })
}

function lineageOf(claims: JsonObject, { lineage }: OidcRules): string[] {
  const origins: string[] = []
  for (const [prefix, place] of lineage) {
    const id = claimAt(claims, place)
    if (typeof id === 'string' && id !== '') origins.push(prefix + id)
  }
  return origins
}

/** Platforms whose tokens are for one use number them; elsewhere a token without a number is known by its digest. */
function replayKey(jwt: UnverifiedJwt, { preset }: OidcRules): string {
  const { jti } = jwt.claims
  if (jti === undefined && preset?.replay !== 'once') return digestOf(jwt)
  if (typeof jti === 'string' && /^[\x20-\x7e]{1,256}$/.test(jti)) return jti
  throw invalidClaim('jti', '1 to 256 printable characters', jti)
}
