/** What RFC 9449 (DPoP) demands. */

import type { Requirement } from '../manifest.ts'

const NO_REFRESH = 'workloads get no refresh tokens'
const NO_CODES = 'there is no authorization endpoint yet'

export const REQUIREMENTS: readonly Requirement[] = [
  {
    id: '§5 (4)',
    text: 'refresh tokens of public clients are bound to the key, and used with its proof only',
    notApplicable: NO_REFRESH,
  },
  {
    id: '§5.2',
    text: 'a client registered with dpop_bound_access_tokens gets no token without a proof',
    notApplicable: 'no client is registered here; resources and policies demand binding',
  },
  {
    id: '§10 (2)',
    text: 'an authorization code with dpop_jkt is redeemed with that key only',
    notApplicable: NO_CODES,
  },
  {
    id: '§10.1',
    text: 'a pushed request with a proof and another dpop_jkt is refused',
    notApplicable: NO_CODES,
  },
]
