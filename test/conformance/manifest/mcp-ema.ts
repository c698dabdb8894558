/**
 * What MCP Enterprise-Managed Authorization (stable) demands of the two authorization servers, and the Identity Assertion
 * JWT Authorization Grant (draft-ietf-oauth-identity-assertion-authz-grant) that it profiles.
 */

import type { Requirement } from '../manifest.ts'

const CLIENTS = 'it is for the MCP client'
const NO_LOGIN = 'people are not signed in here'

export const REQUIREMENTS: readonly Requirement[] = [
  {
    id: '§4 (1)',
    text: 'audience is the issuer identifier of the resource’s authorization server',
  },
  { id: '§4 (2)', text: 'resource is the identifier of the MCP server' },
  { id: '§4.1', text: 'policies decide whether the client may act for the user there' },
  { id: '§4.2', text: 'the answer has issued_token_type id-jag and token_type N_A' },
  { id: '§4.3 (1)', text: 'the ID-JAG has typ and the claims of the draft' },
  { id: '§4.3 (2)', text: 'its resource claim is the identifier of the MCP server' },
  { id: '§5', text: 'an ID-JAG is taken as assertion of jwt-bearer; the client authenticates' },
  { id: '§5.1 (1)', text: 'its client_id is the client that authenticates' },
  { id: '§5.1 (2)', text: 'the access token is for the resource of the ID-JAG alone' },
  { id: '§5.1 (3)', text: 'one that is bound to a key is refused without proof of it' },
  { id: '§6', text: 'metadata names the grant profile, and jwt-bearer' },
  { id: '§7.2.1', text: 'scopes are those requested and in the ID-JAG, both' },
  { id: '§7.4.1 (1)', text: 'the signature verifies with a trusted key of the issuer' },
  { id: '§7.4.1 (2)', text: 'algorithms are from a list, without none' },
  { id: '§7.4.1 (3)', text: 'iss, aud, sub, iat and exp are validated' },
  { id: '§7.4.1 (4)', text: 'an aud that is not this server is refused' },
  { id: '§7.4.2 (1)', text: 'it is short-lived, and refused outside its time' },
  { id: '§7.4.2 (2)', text: 'a jti is good once, until exp' },
  { id: '§7.4.2 (3)', text: 'no whole ID-JAG is logged' },
  { id: '§7.6.1', text: 'only known pairs of audience and resource get an ID-JAG' },
  { id: '§7.6.2', text: 'aud and resource are both validated; a mismatch is invalid_grant' },
  { id: '§7.7', text: 'client authentication is enforced in the token exchange' },
  { id: '§3', text: 'the user signs in at the provider', notApplicable: NO_LOGIN },
  {
    id: '§7.3',
    text: 'TLS, https URLs, and no tokens in URLs',
    notApplicable:
      'an http issuer is only taken on loopback (test/config), and parameters in the query are refused (test/http)',
  },
  {
    id: '§7.4.1 (5)',
    text: 'keys are fetched over authenticated TLS, and rotated without rollback',
    notApplicable:
      'all issuers’ keys are read by one room, with tests of its own (test/net/jwks.test.ts)',
  },
  {
    id: '§7.4.3',
    text: 'personal data in an ID-JAG is protected, and encrypted where clients must not see it',
    notApplicable: 'ours says nothing of the person but the identifier',
  },
  { id: '§7.5.1', text: 'client secrets are stored securely', notApplicable: 'there are none' },
  { id: '§7.5.2', text: 'state and nonce are validated', notApplicable: CLIENTS },
  { id: '§7.5.3', text: 'codes and redirect URIs', notApplicable: NO_LOGIN },
  {
    id: '§7.5.4',
    text: 'tokens are not leaked, and validated by MCP servers',
    notApplicable: CLIENTS,
  },
  {
    id: '§7.6.2 (2)',
    text: 'a scope claim that does not match the scopes of the resource is invalid_grant',
    notApplicable:
      'it contradicts §7.2.1: what the resource does not offer is not granted, and nothing left is invalid_scope',
  },
]
