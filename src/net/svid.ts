/**
 * What makes a server's certificate the X.509-SVID of one SPIFFE ID (X509-SVID §2, §5), once its chain has been verified
 * to the roots of the trust domain. The one home of this rule. No I/O. No clock.
 */

import type { PeerCertificate } from 'node:tls'

/** What the rule needs of a certificate. */
export type Leaf = Pick<PeerCertificate, 'subjectaltname' | 'ca'>

/**
 * Compares by string, and holds nothing that the certificate says.
 * @param expected the SPIFFE ID, from the configuration
 * @returns what is wrong with the certificate, to complete "its certificate …"; null when it is that SVID
 */
export function svidFault(leaf: Leaf, expected: string): string | null {
  const names = leaf.subjectaltname ?? ''
  // Node quotes a name that could be taken for several (CVE-2021-44532). No SPIFFE ID needs that.
  if (names.includes('"')) return 'has a name that no SVID has'
  const uris = names.split(', ').filter((name) => name.startsWith('URI:'))
  if (uris.length !== 1) return `has ${uris.length} URIs; an X.509-SVID has one`
  if (uris[0] !== `URI:${expected}`) return 'is for another SPIFFE ID'
  if (leaf.ca) return 'is that of an authority; no workload has one'
  return null
}
