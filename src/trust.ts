/**
 * Which trust entry a credential is for. Unverified `iss` and `aud` select by exact string and prove
 * nothing: the entry that is selected verifies everything again with its own keys.
 */

import type { Attestor } from './identity.ts'
import { soleAudience, type UnverifiedJwt } from './net/jwt.ts'
import { few, printable, Refusal } from './refusal.ts'

/** Selects the one attestor that answers for a JWT. */
export type TrustTable = {
  /** @throws Refusal `issuer_untrusted` */
  select(jwt: UnverifiedJwt): Attestor
}

/**
 * @param attestors no two share both an issuer and an audience: the configuration refuses that, because
 *   then the caller, not we, would choose whose keys are tried
 */
export function trustTable(attestors: readonly Attestor[]): TrustTable {
  const byIssuer = new Map<string, Attestor[]>()
  for (const attestor of attestors) {
    for (const issuer of attestor.issuers) {
      byIssuer.set(issuer, [...(byIssuer.get(issuer) ?? []), attestor])
    }
  }
  return {
    select(jwt) {
      const { iss } = jwt.claims
      const candidates = (typeof iss === 'string' && byIssuer.get(iss)) || []
      const [first] = candidates
      if (first === undefined) {
        throw new Refusal('issuer_untrusted', {
          found: printable(iss),
          trusted: few(new Set(attestors.flatMap(({ issuers: [own = ''] }) => own))),
        })
      }
      const audience = soleAudience(jwt.claims)
      const match = candidates.find((attestor) => attestor.audience === audience)
      // The wrong audience goes to an entry of this issuer: it refuses, and knows best what the token was for.
      return match ?? first
    },
  }
}
