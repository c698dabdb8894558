/** What the actor profile for OAuth 2.0 token exchange demands, as the contract of `act` (protocols dossier, 7.2). It is not advertised. */

import type { Requirement } from '../manifest.ts'

export const REQUIREMENTS: readonly Requirement[] = [
  { id: '§1.1', text: 'act has iss and sub' },
  { id: '§1.2', text: 'sub_profile says what the actor is: user, service or ai_agent' },
  { id: '§1.3', text: 'act is there for a delegation only, not because client and subject differ' },
  { id: '§1.4', text: 'an inbound chain is neither dropped nor rewritten' },
  { id: '§1.5', text: 'a chain of four actors is supported' },
  { id: '§1.6', text: 'a chain beyond the limit is invalid_request' },
  { id: '§1.7', text: 'the top-level cnf is the key of the outermost actor' },
  { id: '§1.8', text: 'an actor_token may be a workload credential' },
  { id: '§1.9', text: 'an actor_token that is delegated itself is refused' },
  { id: '§1.10', text: 'may_act is never copied into what is issued' },
  { id: '§1.11', text: 'the subject of the result is the person, its actor the workload' },
  {
    id: '§1.12',
    text: 'metadata names the token types that may be exchanged',
    notApplicable: 'the profile is not advertised: where it differs, RFC 8693 holds',
  },
  {
    id: '§1.13',
    text: 'actor_unauthorized is the error of an actor that may not act',
    notApplicable:
      'the profile is not advertised; the error is invalid_request, as for any bad token',
  },
  {
    id: '§1.14',
    text: 'a delegated grant that is bound to no key is good once',
    notApplicable:
      'our tokens as subject_token are reusable by their holder until they end (design)',
  },
]
