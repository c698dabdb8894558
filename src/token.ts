/** Grant → access token: a JWT of RFC 9068, signed with ES256. The only caller of the signing key. */

import { sign } from 'node:crypto'
import type { Grant } from './grant.ts'
import type { Signer } from './keys.ts'

/**
 * Signs a Grant.
 *
 * @param issuer our issuer identifier, exactly as published
 * @param jti the decision id, so that a token leads its reader to the decision behind it
 */
export function signToken(grant: Grant, issuer: string, jti: string, signer: Signer): string {
  const payload = {
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
  const input = `${signer.header}.${encode(payload)}`
  const signature = sign('sha256', Buffer.from(input), {
    key: signer.key,
    dsaEncoding: 'ieee-p1363',
  })
  return `${input}.${signature.toString('base64url')}`
}

/** The JOSE header of tokens that a key signs (RFC 9068 §2.1), encoded once for all of them. */
export function tokenHeader(kid: string): string {
  return encode({ alg: 'ES256', typ: 'at+jwt', kid })
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
