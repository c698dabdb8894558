/** What RFC 7523 (JWTs as client authentication and as grants) demands, with RFC 7521 that it profiles. */

import type { Requirement } from '../manifest.ts'

export const REQUIREMENTS: readonly Requirement[] = [
  { id: '§2.1 (1)', text: 'a grant has grant_type jwt-bearer and one JWT as assertion' },
  { id: '§2.1 (2)', text: 'client credentials beside a grant are validated where they are there' },
  { id: '§2.2 (1)', text: 'client authentication has client_assertion_type jwt-bearer' },
  { id: '§2.2 (2)', text: 'client_assertion is one JWT' },
  { id: '§3 (1)', text: 'iss names who issued it: one that is not trusted is refused' },
  { id: '§3 (2)', text: 'sub names the subject' },
  { id: '§3 (3)', text: 'aud names this server as an intended audience; else it is refused' },
  { id: '§3 (4)', text: 'exp is there, and a JWT that is over is refused' },
  { id: '§3 (5)', text: 'a JWT is not processed before its nbf' },
  {
    id: '§3 (6)',
    text: 'one issued unreasonably far in the past, or for too long, may be refused',
  },
  { id: '§3 (7)', text: 'it is signed, and one with an invalid signature is refused' },
  { id: '§3 (8)', text: 'a JWT that is not valid in all other respects is refused' },
  { id: '§3.1', text: 'a grant that is not valid is invalid_grant' },
  { id: '§3.2', text: 'client authentication that is not valid is invalid_client' },
  {
    id: '§2.2 (3)',
    text: 'the subject of client authentication is the client_id of an OAuth client',
    notApplicable:
      'no client is registered: the platform’s token names the workload, whose URI is its client_id (RFC 7521 §4.2)',
  },
  {
    id: '§5',
    text: 'RS256 is mandatory to implement',
    notApplicable: 'it is taken wherever a platform signs with it; each trust entry narrows that',
  },
]
