/** What RFC 9449 (DPoP) demands. */

import type { Requirement } from '../manifest.ts'

const NO_REFRESH = 'workloads get no refresh tokens'
const NO_CODES = 'there is no authorization endpoint yet'

export const REQUIREMENTS: readonly Requirement[] = [
  { id: '§4.1', text: 'a request with more than one DPoP header is refused' },
  { id: '§4.2', text: '`ath` is the base64url SHA-256 of the access token in ASCII' },
  { id: '§4.3 (1)', text: 'there is not more than one DPoP header' },
  { id: '§4.3 (2)', text: 'it is a single and well-formed JWT' },
  { id: '§4.3 (3)', text: 'all required claims are there' },
  { id: '§4.3 (4)', text: '`typ` is dpop+jwt' },
  { id: '§4.3 (5)', text: '`alg` is asymmetric, supported, and acceptable here' },
  { id: '§4.3 (6)', text: 'the signature verifies with the key in `jwk`' },
  { id: '§4.3 (7)', text: '`jwk` holds no private key' },
  { id: '§4.3 (8)', text: '`htm` is the method of the request' },
  { id: '§4.3 (9)', text: '`htu` is the URI of the request without query and fragment' },
  { id: '§4.3 (10)', text: '`nonce` is one that the server gave' },
  { id: '§4.3 (11)', text: 'the proof was made within an acceptable time' },
  { id: '§4.3 (12)', text: '`ath` is that of the access token, which is bound to the same key' },
  { id: '§5 (1)', text: 'a token is bound to the key of the proof, and `token_type` is DPoP' },
  { id: '§5 (2)', text: 'an invalid proof is answered with invalid_dpop_proof' },
  { id: '§5 (3)', text: 'the error says no more than that (RFC 6749 §5.2)' },
  {
    id: '§5 (4)',
    text: 'refresh tokens of public clients are bound to the key, and used with its proof only',
    notApplicable: NO_REFRESH,
  },
  { id: '§5.1', text: 'dpop_signing_alg_values_supported lists the algorithms of proofs' },
  {
    id: '§5.2',
    text: 'a client registered with dpop_bound_access_tokens gets no token without a proof',
    notApplicable: 'no client is registered here; resources and policies demand binding',
  },
  { id: '§6', text: 'a resource server tells for sure whether a token is bound, and to which key' },
  { id: '§6.1', text: '`cnf.jkt` is the SHA-256 JWK thumbprint of the key' },
  {
    id: '§6.2',
    text: 'introspection of a bound token has `cnf.jkt` and the token type DPoP',
    notApplicable: 'tested with RFC 7662',
  },
  { id: '§7.1 (1)', text: 'a bound token is shown by the scheme DPoP, with a proof beside it' },
  { id: '§7.1 (2)', text: 'access is granted only if every check of the proof holds' },
  { id: '§7.1 (3)', text: 'the key of the proof is the one that the token is bound to' },
  { id: '§7.1 (4)', text: 'a challenge has no parameter twice, and names the algorithms' },
  { id: '§7.2', text: 'a bound token that is shown as a bearer token is refused' },
  { id: '§8', text: 'use_dpop_nonce comes with status 400 and a DPoP-Nonce header' },
  { id: '§8.1', text: 'a nonce is one or more NQCHAR' },
  { id: '§8.2', text: 'a new nonce comes with any answer; a client uses the newest' },
  { id: '§9', text: 'a resource server demands its nonce with 401, use_dpop_nonce and DPoP-Nonce' },
  { id: '§10 (1)', text: 'the token is bound to the key that dpop_jkt names' },
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
  { id: '§11.1', text: 'a proof is taken for a short time, and once' },
  { id: '§11.3', text: 'where nonces are given, no proof is taken without one' },
  { id: '§11.5', text: 'no other JWT of the same key is a proof' },
  { id: '§11.6', text: 'neither `none` nor a symmetric algorithm is taken' },
]
