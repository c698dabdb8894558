/** What draft-ietf-oauth-transaction-tokens-10 demands of the service that issues them. */

import type { Requirement } from '../manifest.ts'

const WORKLOADS = 'it is for the workloads of the trust domain'

export const REQUIREMENTS: readonly Requirement[] = [
  { id: '§9.1', text: 'typ is txntoken+jwt' },
  { id: '§9.2 (1)', text: 'iat, aud, exp, txn, sub, scope and req_wl are there' },
  { id: '§9.2 (2)', text: 'aud is the trust domain, outside of which it is not accepted' },
  { id: '§11.1 (1)', text: 'audience is the trust domain' },
  { id: '§11.1 (2)', text: 'scope is required' },
  { id: '§11.1 (3)', text: 'subject_token and its type are required' },
  { id: '§11.1 (4)', text: 'request_context and request_details are JSON objects' },
  { id: '§11.2', text: 'a refresh token is no subject token' },
  { id: '§11.3 (1)', text: 'the workload authenticates, and is authorized for what it asks' },
  { id: '§11.3 (2)', text: 'the subject token is validated' },
  { id: '§11.3 (3)', text: 'txn is unique' },
  { id: '§11.3 (4)', text: 'the scope that was asked for is evaluated' },
  { id: '§11.4 (1)', text: 'the answer has token_type N_A and issued_token_type txn_token' },
  { id: '§11.4 (2)', text: 'no refresh token is in the answer' },
  { id: '§13.1', text: 'it is short-lived' },
  { id: '§13.4', text: 'it does not hold the access token' },
  { id: '§13.6', text: 'its scope is no wider than that of the subject token' },
  { id: '§13.12', text: 'it authenticates nobody' },
  { id: '§13.13', text: 'it is no access token' },
  { id: '§13.14', text: 'a subject token whose scope is not known is refused' },
  { id: '§13.15 (1)', text: 'a replacement keeps txn, sub and aud' },
  { id: '§13.15 (2)', text: 'a replacement does not widen' },
  { id: '§13.15 (3)', text: 'one that is over is not replaced' },
  { id: '§13.15 (4)', text: 'the chain of workloads that asked is kept' },
  { id: '§15.2', text: 'no whole token is logged' },
  {
    id: '§10',
    text: 'a trust domain has one logical service',
    notApplicable: 'it is for the operator; one broker has one trust domain',
  },
  {
    id: '§11.2.1',
    text: 'self-signed JWTs and unsigned JSON as subject tokens',
    notApplicable:
      'optional, and refused: a workload that begins a transaction shows an access token of its own',
  },
  {
    id: '§11.5',
    text: 'both authenticate each other, and certificates are checked',
    notApplicable: 'the workload does in §11.3; the server has TLS; the rest is for workloads',
  },
  { id: '§12.1', text: 'it travels in the header Txn-Token', notApplicable: WORKLOADS },
  { id: '§12.2', text: 'it is validated, and passed on unmodified', notApplicable: WORKLOADS },
  {
    id: '§13.3',
    text: 'refresh tokens do not get transaction tokens',
    notApplicable: 'there are none here',
  },
  { id: '§13.7', text: 'configuration comes from a trusted source', notApplicable: WORKLOADS },
  { id: '§13.9', text: 'the service is authenticated', notApplicable: WORKLOADS },
]
