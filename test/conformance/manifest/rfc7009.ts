/** What RFC 7009 (token revocation) demands. */

import type { Requirement } from '../manifest.ts'

const NO_REFRESH = 'workloads get no refresh tokens'

export const REQUIREMENTS: readonly Requirement[] = [
  { id: '§2 (1)', text: 'refresh tokens can be revoked', notApplicable: NO_REFRESH },
  { id: '§2 (2)', text: 'access tokens can be revoked' },
  { id: '§2 (3)', text: 'the location is found in the metadata, and no one else is taken for it' },
  {
    id: '§2 (4)',
    text: 'the endpoint is reached over TLS',
    notApplicable: 'the configuration refuses an http issuer beyond loopback (test/config)',
  },
  { id: '§2.1 (1)', text: 'the request is a POST of a form' },
  { id: '§2.1 (2)', text: '`token` is required' },
  {
    id: '§2.1 (3)',
    text: 'a hint that is wrong or unknown does not keep a token from being found',
  },
  { id: '§2.1 (4)', text: 'the client is authenticated first' },
  { id: '§2.1 (5)', text: 'a token of another client is not revoked' },
  { id: '§2.1 (6)', text: 'a token is revoked at once, and good for nothing afterwards' },
  {
    id: '§2.1 (7)',
    text: 'access tokens fall with their refresh token',
    notApplicable: NO_REFRESH,
  },
  { id: '§2.2 (1)', text: 'revoked is answered with status 200' },
  { id: '§2.2 (2)', text: 'an invalid token is answered with status 200, too' },
  { id: '§2.2.1 (1)', text: 'errors are those of RFC 6749 §5.2' },
  {
    id: '§2.2.1 (2)',
    text: 'a type of token that cannot be revoked is answered with unsupported_token_type',
    notApplicable: 'there is one type of token, and it can be revoked',
  },
  { id: '§2.2.1 (3)', text: 'status 503 says that the token still exists, and when to come back' },
  { id: '§2.3', text: 'cross-origin requests', notApplicable: 'optional; it serves workloads' },
  { id: '§5', text: 'whoever guesses tokens learns nothing' },
]
