/** What RFC 7662 (token introspection) demands. */

import type { Requirement } from '../manifest.ts'

export const REQUIREMENTS: readonly Requirement[] = [
  {
    id: '§2',
    text: 'the endpoint is reached by TLS only',
    notApplicable: 'an issuer that is not https is refused but on loopback: config/broken.test.ts',
  },
  { id: '§2.1 (1)', text: 'a question is a form in a POST, with the token in `token`' },
  { id: '§2.1 (2)', text: 'a wrong or unknown token_type_hint does not hide a token' },
  { id: '§2.1 (3)', text: 'the endpoint requires authorization, so that nobody scans for tokens' },
  { id: '§2.1 (4)', text: 'client authentication is as at the token endpoint' },
  { id: '§2.1 (5)', text: 'a separate access token authorizes as well' },
  { id: '§2.2 (1)', text: 'the answer is JSON with a boolean `active`' },
  { id: '§2.2 (2)', text: 'members have the meaning that they have in the token' },
  {
    id: '§2.2 (3)',
    text: 'a token that is not active, unknown, or not for the caller: active false',
  },
  { id: '§2.2 (4)', text: 'nothing else is said of a token that is not active' },
  { id: '§2.3 (1)', text: 'bad client credentials: 401 as in RFC 6749 §5.2' },
  { id: '§2.3 (2)', text: 'a bad access token of the caller: 401 as in RFC 6750 §3' },
  { id: '§2.3 (3)', text: 'a good question about a bad token is no error' },
  { id: '§4 (1)', text: 'a token that is over is not active' },
  {
    id: '§4 (2)',
    text: 'a token whose time has not come is not active',
    notApplicable: 'no token of ours begins later than it is issued',
  },
  { id: '§4 (3)', text: 'a token that was revoked is not active' },
  { id: '§4 (4)', text: 'the signature of a signed token is verified' },
  { id: '§4 (5)', text: 'a token is active only where it can be used' },
  { id: '§4 (6)', text: 'who may ask is known for every question' },
  { id: '§4 (7)', text: 'tokens stay out of logs' },
  { id: '§4 (8)', text: 'an answer is not cached beyond the end of the token' },
]
