/** What RFC 8693 (token exchange) demands. */

import type { Requirement } from '../manifest.ts'

export const REQUIREMENTS: readonly Requirement[] = [
  { id: '§2 (1)', text: 'the request is a form with the grant type of token exchange' },
  { id: '§2.1 (1)', text: 'subject_token is required' },
  { id: '§2.1 (2)', text: 'subject_token_type is required' },
  { id: '§2.1 (3)', text: 'actor_token_type is required with an actor_token' },
  { id: '§2.1 (4)', text: 'actor_token_type must not be there without an actor_token' },
  { id: '§2.1 (5)', text: 'both tokens are validated as their types demand' },
  { id: '§2.1 (6)', text: 'resource is an absolute URI, without a fragment' },
  {
    id: '§2.1 (7)',
    text: 'resource and audience may name the target; several that cannot all be met are refused',
  },
  { id: '§2.1 (8)', text: 'a requested_token_type that is not issued is refused' },
  { id: '§2.2.1 (1)', text: 'the answer has access_token, issued_token_type and token_type' },
  { id: '§2.2.1 (2)', text: 'scope is in the answer where it is not what was asked for' },
  { id: '§2.2.1 (3)', text: 'the answer is JSON that is not cached' },
  {
    id: '§2.2.1 (4)',
    text: 'a refresh token is only issued where the client would need one when the subject token is over',
  },
  { id: '§2.2.2 (1)', text: 'an invalid or unacceptable token is invalid_request' },
  { id: '§2.2.2 (2)', text: 'a target that no token is issued for is invalid_target' },
  { id: '§4.1 (1)', text: 'act names the current actor, and within it who acted before' },
  {
    id: '§4.1 (2)',
    text: 'only the outermost actor counts for access; prior ones are for information',
  },
  {
    id: '§4.1 (3)',
    text: 'claims that are no identity (exp, nbf, aud) have no meaning within act',
  },
  { id: '§4.2', text: 'scope is a list in one string' },
  { id: '§4.3', text: 'client_id names the client that asked' },
  { id: '§4.4', text: 'may_act names who may act; another actor is refused' },
  {
    id: '§5 (1)',
    text: 'tokens travel over TLS alone',
    notApplicable: 'an http issuer is refused but on a loopback address (test/config)',
  },
  {
    id: '§2.1 (9)',
    text: 'SAML assertions are validated as RFC 7522 demands',
    notApplicable: 'SAML is not taken: such a type is refused',
  },
]
