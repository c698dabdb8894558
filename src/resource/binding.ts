/** Whether whoever shows a token holds the key that it is bound to (RFC 7800 §3, RFC 8705 §3, RFC 9449 §6). Pure. */

import { thumbprint } from '../possession.ts'

/** What a caller has proved to hold, by its connection or by a proof that was judged already. */
export type Proved = {
  /** DER of the certificate with which it opened its TLS connection. */
  readonly certificate?: Buffer
  /** Thumbprint of the key of its DPoP proof (RFC 7638). */
  readonly jkt?: string
}

/**
 * Holds the `cnf` claim of a token against what its caller has proved. A token without `cnf` is a bearer token: it is
 * anybody's. One whose `cnf` names anything that is not known here is nobody's (RFC 7800 §3.1).
 */
export function boundTo(claims: Readonly<Record<string, unknown>>, proved: Proved): boolean {
  const { cnf } = claims
  if (cnf === undefined) return true
  if (typeof cnf !== 'object' || cnf === null) return false
  const members = Object.entries(cnf)
  return members.length > 0 && members.every(([member, value]) => holds(member, value, proved))
}

function holds(member: string, value: unknown, { certificate, jkt }: Proved): boolean {
  switch (member) {
    case 'jkt':
      return jkt !== undefined && value === jkt
    case 'x5t#S256':
      return certificate !== undefined && value === thumbprint(certificate)
    default:
      return false
  }
}
