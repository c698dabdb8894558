/** The address at the other end of a connection, in one spelling. */

import { isIP } from 'node:net'

/**
 * A socket that also takes IPv6 shows IPv4 callers as mapped (RFC 4291 §2.5.5.2); settings and policies name them as
 * IPv4.
 * @returns null for what is no address, such as the path of a socket
 */
export function plainAddress(address: string): string | null {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  return isIP(plain) === 0 ? null : plain
}
