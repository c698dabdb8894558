/** What is signed with the key of access tokens, besides those: statements with a type of their own. */

import { sign } from 'node:crypto'
import type { Signer } from './keys.ts'

/**
 * Signs something about tokens that is none.
 * @param typ tells it from an access token (RFC 8725 §3.11), and from everything else that is signed with this key
 */
export function signStatement(typ: string, claims: object, signer: Signer): string {
  return signed(encode({ alg: 'ES256', typ, kid: signer.kid }), claims, signer)
}

/** Claims under a header, signed with ES256: a compact JWS (RFC 7515 §3.1). */
export function signed(header: string, claims: object, { key }: Signer): string {
  const input = `${header}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

/** A part of a compact JWS. */
export function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
