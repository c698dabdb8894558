/** What RFC 9701 (signed introspection) demands. */

import type { Requirement } from '../manifest.ts'

const NOT_REGISTERED = 'resource servers are not registered; they ask for each answer by `Accept`'

export const REQUIREMENTS: readonly Requirement[] = [
  { id: '§4 (1)', text: 'a signed answer is asked for by the Accept header' },
  { id: '§4 (2)', text: 'the caller is authenticated' },
  { id: '§5 (1)', text: 'the answer has the media type and the `typ` token-introspection+jwt' },
  { id: '§5 (2)', text: 'it is signed by a published key, never with alg none' },
  { id: '§5 (3)', text: 'it has iss, aud (the caller), iat, and token_introspection' },
  { id: '§5 (4)', text: 'token_introspection is what the JSON answer is' },
  { id: '§5 (5)', text: 'a token that is not active, or not for the caller: active false alone' },
  { id: '§5 (6)', text: 'the answer has neither sub nor exp of its own' },
  {
    id: '§5 (7)',
    text: 'an encrypted answer is signed first',
    notApplicable: 'answers are not encrypted: TLS ends at the caller',
  },
  {
    id: '§6',
    text: 'registered algorithms of a client are used',
    notApplicable: NOT_REGISTERED,
  },
  { id: '§7', text: 'metadata lists the signing algorithms' },
  { id: '§8.1', text: 'an answer is no access token, wherever one is taken' },
  {
    id: '§9',
    text: 'personal data is released on legal grounds only',
    notApplicable: 'the operator decides by `servedBy` and `claims`',
  },
]
