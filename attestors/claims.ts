/**
 * Claim checks that every kind of JWT evidence shares (RFC 7519 §4.1). They run twice: on unverified
 * claims to refuse early at no cost, and after the signature to believe. No I/O. No clock.
 */

import type { Json, JsonObject } from '../src/net/json.ts'
import { soleAudience } from '../src/net/jwt.ts'
import { printable, Refusal } from '../src/refusal.ts'

/** How far the platform's clock may run ahead of ours. */
const SKEW_SECONDS = 30

/** When evidence was issued and when it ends, epoch seconds. */
export type Window = { readonly issuedAt: number; readonly expiresAt: number }

/** @throws Refusal `issuer_untrusted` unless `iss` is exactly the configured one */
export function checkIssuer(claims: JsonObject, expected: string): void {
  const found = claims['iss']
  if (found !== expected) {
    throw new Refusal('issuer_untrusted', { expected, found: printable(found) })
  }
}

/**
 * @param hint tells the operator how to get a token for us
 * @throws Refusal `audience_wrong` unless `aud` has one value, and that is one of these
 */
export function checkAudience(
  claims: JsonObject,
  audiences: readonly string[],
  hint: string,
): void {
  const found = soleAudience(claims)
  if (found !== undefined && audiences.includes(found)) return
  throw new Refusal('audience_wrong', {
    expected: audiences,
    found: printable(claims['aud']),
    hint,
  })
}

/**
 * Judges `exp`, `iat` and, where there is one, `nbf`. Nothing is tolerated past `exp`, because a token
 * of ours must not outlive its evidence.
 * @throws Refusal `claim_invalid`, `token_expired`, `token_premature`, `lifetime_excessive`
 */
export function checkWindow(
  claims: JsonObject,
  nowSeconds: number,
  maxLifetimeSeconds: number,
): Window {
  const expiresAt = instant(claims, 'exp')
  const issuedAt = instant(claims, 'iat')
  const notBefore = claims['nbf'] === undefined ? issuedAt : instant(claims, 'nbf')
  if (nowSeconds >= expiresAt) {
    throw new Refusal('token_expired', { exp: expiresAt, secondsAgo: nowSeconds - expiresAt })
  }
  const earliest = Math.max(issuedAt, notBefore)
  if (earliest > nowSeconds + SKEW_SECONDS) {
    const detail = { iat: issuedAt, nbf: notBefore, secondsAhead: earliest - nowSeconds }
    throw new Refusal('token_premature', { ...detail, toleratedSeconds: SKEW_SECONDS })
  }
  const lifetimeSeconds = expiresAt - issuedAt
  if (lifetimeSeconds > maxLifetimeSeconds) {
    throw new Refusal('lifetime_excessive', { lifetimeSeconds, maxLifetimeSeconds })
  }
  return { issuedAt, expiresAt }
}

/** NumericDate (RFC 7519 §2), whole seconds: a fraction or 1e308 is no instant a platform writes. */
function instant(claims: JsonObject, name: string): number {
  const value = claims[name]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw invalidClaim(name, 'whole seconds since the epoch', value)
}

/** The `claim_invalid` for a claim that is not what its platform writes. */
export function invalidClaim(claim: string, expected: string, found: unknown): Refusal {
  return new Refusal('claim_invalid', { claim, expected, found: printable(found) })
}

/** What the text of a claim looks like, and how that is said to an operator. */
export type TextForm = { readonly form: RegExp; readonly said: string }

/**
 * Text of one form.
 * @param claim the name of the claim, for the operator
 * @throws Refusal `claim_invalid`
 */
export function textOf(value: Json | undefined, { form, said }: TextForm, claim: string): string {
  if (typeof value === 'string' && form.test(value)) return value
  throw invalidClaim(claim, said, value)
}

/** The same where the claim may be missing. Null is a value, and a wrong one. */
export function optionalText(
  value: Json | undefined,
  form: TextForm,
  claim: string,
): string | undefined {
  return value === undefined ? undefined : textOf(value, form, claim)
}
