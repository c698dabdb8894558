/** The name of a public key: its JWK thumbprint (RFC 7638), as tokens carry it in `cnf.jkt` (RFC 9449 §6.1). */

import { hash } from 'node:crypto'

/** The members that make each type of public key (RFC 7518 §6, RFC 8037 §2), in the order of RFC 7638 §3.3. */
export const PUBLIC_MEMBERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['RSA', ['e', 'kty', 'n']],
  ['EC', ['crv', 'kty', 'x', 'y']],
  ['OKP', ['crv', 'kty', 'x']],
])

/**
 * SHA-256 thumbprint of a public key, base64url.
 * @param key exactly the members of `PUBLIC_MEMBERS` for its type, in any order
 */
export function jwkThumbprint(key: Readonly<Record<string, string>>): string {
  return hash('sha256', JSON.stringify(key, Object.keys(key).sort()), 'base64url')
}
