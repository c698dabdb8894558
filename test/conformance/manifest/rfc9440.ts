/** What RFC 9440 (Client-Cert) demands of a server behind a proxy. */

import type { Requirement } from '../manifest.ts'

const OF_PROXIES = 'a demand on the proxy; we are the server behind it'

export const REQUIREMENTS: readonly Requirement[] = [
  { id: '§2.1', text: 'each certificate is a byte sequence of its DER' },
  { id: '§2.2', text: 'Client-Cert has no list of values and does not occur several times' },
  { id: '§2.2 (2)', text: 'Client-Cert is not used in responses' },
  { id: '§2.3', text: 'Client-Cert-Chain is not used without Client-Cert' },
  { id: '§2.3 (2)', text: 'Client-Cert-Chain is a list and may occur several times' },
  {
    id: '§2.4',
    text: 'the headers of an incoming request are removed or overwritten before it is forwarded',
    notApplicable: OF_PROXIES,
  },
  {
    id: '§2.4 (2)',
    text: 'the headers are removed where no client certificate was negotiated',
    notApplicable: OF_PROXIES,
  },
  {
    id: '§3.1',
    text: 'the headers are not indexed by header compression where they differ between requests',
    notApplicable: OF_PROXIES,
  },
  { id: '§3.2', text: 'the server is configured for headers of that size' },
  {
    id: '§3.3',
    text: 'the certificate of a resumed session is forwarded as that of the first',
    notApplicable: OF_PROXIES,
  },
  { id: '§4', text: 'the headers are accepted from a trusted proxy only' },
]
