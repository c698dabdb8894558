/** Grant → access token: a JWT of RFC 9068, or the same claims sealed. The only caller of the signing key. */

import { sign } from 'node:crypto'
import type { Grant } from './grant.ts'
import type { Signer } from './keys.ts'
import { sealToken } from './opaque.ts'

/**
 * Makes the token of a Grant, in its format.
 *
 * @param issuer our issuer identifier, exactly as published
 * @param jti the decision id, so that a token leads its reader to the decision behind it
 * @throws Refusal `token_oversized`
 */
export function makeToken(grant: Grant, issuer: string, jti: string, signer: Signer): string {
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
  }
  return grant.format === 'opaque' ? sealToken(claims, signer) : signClaims(claims, signer)
}

/** Signs the claims of an access token: those of a Grant, or of an opaque token that was opened. */
export function signClaims(claims: object, signer: Signer): string {
  return signed(signer.header, claims, signer)
}

/**
 * Signs something about tokens that is none.
 * @param typ tells it from an access token (RFC 8725 §3.11), and from everything else that is signed with this key
 */
export function signStatement(typ: string, claims: object, signer: Signer): string {
  return signed(encode({ alg: 'ES256', typ, kid: signer.kid }), claims, signer)
}

/** The JOSE header of tokens that a key signs (RFC 9068 §2.1), encoded once for all of them. */
export function tokenHeader(kid: string): string {
  return encode({ alg: 'ES256', typ: TOKEN_TYPE, kid })
}

/** The `typ` of our access tokens. */
export const TOKEN_TYPE = 'at+jwt'

function signed(header: string, claims: object, { key }: Signer): string {
  const input = `${header}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
