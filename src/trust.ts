/**
 * Which trust entry a credential is for. Unverified `iss` and `aud`, and the trust domain in the `sub` of a JWT-SVID,
 * select by exact string and prove nothing: the entry that is selected verifies everything again with its own keys.
 */

import type { Attestor } from './identity.ts'
import { soleAudience, type UnverifiedJwt } from './net/jwt.ts'
import { parseSpiffeId, trustDomainUri } from './net/spiffeid.ts'
import { few, printable, Refusal } from './refusal.ts'
import type { DirectEvidence } from './relay.ts'

/** An entry with what it takes in place of a JWT. */
export type Directed = { readonly by: Attestor; readonly direct: DirectEvidence }

/** Selects the one attestor that answers for a credential. */
export type TrustTable = {
  /**
   * @param kind what the caller says it shows. It chooses nothing: the same token is always for the same entry
   * @throws Refusal `issuer_untrusted`, `entry_ambiguous`; `type_refused` for a token of another kind
   */
  select(jwt: UnverifiedJwt, kind?: string): Attestor
  /**
   * @returns null when no entry takes this format in place of a JWT
   * @throws Refusal `issuer_untrusted`, and those of whoever reads the format
   */
  selectDirect(format: string, value: string): Directed | null
}

/**
 * @param attestors no two share an issuer, an audience and what they require: the configuration refuses that,
 *   because then the caller, not we, would choose whose keys are tried. Their issuers are read at each look, since a
 *   platform may name its own only later
 */
export function trustTable(attestors: readonly Attestor[]): TrustTable {
  return {
    select(jwt, kind) {
      const { iss, sub } = jwt.claims
      const audience = soleAudience(jwt.claims)
      const takes = ({ audience: sole, audiences = [sole] }: Attestor) =>
        audiences.some((accepted) => accepted === audience)
      const named = namedBy(attestors, iss)
      const candidates = named.length > 0 ? named : namedBy(attestors, trustDomainOf(sub))
      // The wrong audience goes to an entry of this issuer: it refuses, and knows best what the token was for.
      // An issuer that nobody answers for yet may be that of an entry which is still asking for its own.
      const match =
        soleOf(candidates.filter(takes), jwt) ??
        candidates[0] ??
        attestors.find((attestor) => attestor.issuers.length === 0 && takes(attestor))
      if (match !== undefined) return ofKind(match, kind)
      throw new Refusal('issuer_untrusted', {
        found: printable(iss ?? trustDomainOf(sub)),
        trusted: few(new Set(attestors.flatMap(({ issuers }) => issuers.slice(0, 1)))),
      })
    },
    selectDirect(format, value) {
      const takers = attestors.flatMap((by) => {
        const direct = by.direct?.get(format)
        return direct === undefined ? [] : [{ by, direct }]
      })
      const [reader] = takers
      if (reader === undefined) return null
      const found = reader.direct.claimedIssuer(value)
      const match = takers.find(({ by }) => by.issuers.includes(found))
      if (match !== undefined) return match
      const trusted = few(takers.flatMap(({ by }) => by.issuers.slice(0, 1)))
      throw new Refusal('issuer_untrusted', { found: printable(found), trusted })
    },
  }
}

function namedBy(attestors: readonly Attestor[], name: unknown): readonly Attestor[] {
  return attestors.filter(({ issuers }) => issuers.some((issuer) => issuer === name))
}

/** What stands for the issuer of a JWT-SVID, which need not have an `iss` (JWT-SVID §3). */
function trustDomainOf(sub: unknown): string | undefined {
  const id = parseSpiffeId(sub)
  return id === null ? undefined : trustDomainUri(id.trustDomain)
}

function ofKind(attestor: Attestor, kind = attestor.kind): Attestor {
  if (attestor.kind === kind) return attestor
  throw new Refusal('type_refused', { expected: kind, found: attestor.trust })
}

/**
 * Of entries that share an issuer and an audience, the one whose requirements the token says it meets. They share one
 * key source too (the configuration sees to it), so that this chooses nobody's keys; the entry judges the same
 * requirements again once the signature holds, and no other entry's can hold then.
 *
 * @returns the first when none matches: it refuses, and says what it requires
 * @throws Refusal `entry_ambiguous`
 */
function soleOf(entries: readonly Attestor[], { claims }: UnverifiedJwt): Attestor | undefined {
  if (entries.length < 2) return entries[0]
  const matching = entries.filter(({ matches }) => matches?.(claims) ?? true)
  if (matching.length > 1) {
    throw new Refusal('entry_ambiguous', { entries: few(matching.map(({ trust }) => trust)) })
  }
  return matching[0] ?? entries[0]
}
