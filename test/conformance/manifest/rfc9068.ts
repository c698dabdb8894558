/** What RFC 9068 (JWT access tokens) demands. */

import type { Requirement } from '../manifest.ts'

const NO_USERS = 'no person signs in here, so there is nothing to say of it'

export const REQUIREMENTS: readonly Requirement[] = [
  { id: '§2.1 (1)', text: 'a token is signed, and never with alg none' },
  {
    id: '§2.1 (2)',
    text: 'RS256 is among the supported algorithms',
    notApplicable: 'a deviation: we sign with ES256 alone, and metadata and keys say so',
  },
  { id: '§2.1 (3)', text: 'its typ is at+jwt' },
  { id: '§2.2 (1)', text: 'iss, exp, aud, sub, client_id, iat and jti are there' },
  { id: '§2.2 (2)', text: 'without a resource owner sub is the client' },
  { id: '§2.2.1', text: 'auth_time, acr and amr tell of the sign-in', notApplicable: NO_USERS },
  { id: '§2.2.3', text: 'a token for which a scope was asked has a scope' },
  { id: '§3 (1)', text: 'aud is the resource that was asked for' },
  {
    id: '§3 (2)',
    text: 'without a resource aud is a default',
    notApplicable: 'a request without a resource is refused: http/token.test.ts',
  },
  { id: '§3 (3)', text: 'every scope is one of that resource' },
  { id: '§4 (1)', text: 'a server takes no other typ' },
  {
    id: '§4 (2)',
    text: 'encrypted tokens are decrypted',
    notApplicable: 'tokens are not encrypted',
  },
  { id: '§4 (3)', text: 'a server takes no other issuer, compared exactly' },
  { id: '§4 (4)', text: 'a server takes no token for another audience' },
  { id: '§4 (5)', text: 'a server verifies the signature, and refuses alg none' },
  { id: '§4 (6)', text: 'a server takes no token that is over' },
  { id: '§5', text: 'no caller chooses a sub that is somebody else' },
]
