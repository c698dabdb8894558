/** Grant → access token: a JWT of RFC 9068, or the same claims sealed. The only caller of the signing key. */

import { CARRIED, type Carried } from './carried.ts'
import type { Grant } from './grant.ts'
import type { Signer } from './keys.ts'
import { sealToken } from './opaque.ts'
import { receiptsOf } from './receipt.ts'
import { encode, signed } from './statement.ts'

/** What a token is made with, besides its Grant. */
export type Making = {
  /** Our issuer identifier, exactly as published. */
  readonly issuer: string
  /** The decision id, so that a token leads its reader to the decision behind it. */
  readonly jti: string
  readonly carried: Pick<Carried, 'seal'>
}

/**
 * Makes the token of a Grant, in its format.
 *
 * @throws Refusal `token_oversized`, `user_oversized`, `chain_oversized`
 */
export function makeToken(grant: Grant, { issuer, jti, carried }: Making, signer: Signer): string {
  const claims = {
    // First, so that no mapped claim can take the place of one of ours.
    ...grant.claims,
    iss: issuer,
    sub: grant.subject,
    aud: grant.audience,
    client_id: grant.clientId,
    iat: grant.issuedAt,
    exp: grant.expiresAt,
    jti,
    ...(grant.scopes.length > 0 && { scope: grant.scopes.join(' ') }),
    ...(grant.confirmation !== null && { cnf: grant.confirmation }),
    lineage: grant.lineage,
    ...(grant.act !== null && { act: grant.act }),
    ...(grant.hop !== null && { receipts: receiptsOf(grant, signer) }),
    ...(grant.mayAct !== null && { may_act: { iss: issuer, sub: grant.mayAct } }),
    ...(grant.user !== null && { [CARRIED]: carried.seal(grant.user, jti) }),
  }
  return grant.format === 'opaque' ? sealToken(claims, signer) : signClaims(claims, signer)
}

/** Signs the claims of an access token: those of a Grant, or of an opaque token that was opened. */
export function signClaims(claims: object, signer: Signer): string {
  return signed(signer.header, claims, signer)
}

/** The JOSE header of tokens that a key signs (RFC 9068 §2.1), encoded once for all of them. */
export function tokenHeader(kid: string): string {
  return encode({ alg: 'ES256', typ: TOKEN_TYPE, kid })
}

/** The `typ` of our access tokens. */
export const TOKEN_TYPE = 'at+jwt'
