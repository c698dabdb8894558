/** What RFC 8705 (mutual TLS) demands of an authorization server, and of our library for resource servers. */

import type { Requirement } from '../manifest.ts'

const UNREGISTERED = 'no client is registered here: its platform vouches for it'
const NO_REFRESH = 'workloads get no refresh tokens'

export const REQUIREMENTS: readonly Requirement[] = [
  { id: '§2', text: 'a client that authenticates by its certificate sends client_id' },
  {
    id: '§2.1',
    text: 'tls_client_auth: the certificate has the one subject that the client registered',
    notApplicable: UNREGISTERED,
  },
  {
    id: '§2.2',
    text: 'self_signed_tls_client_auth: the certificate is one that the client registered',
    notApplicable: UNREGISTERED,
  },
  { id: '§3', text: 'a token is bound to the certificate with which it was asked for' },
  {
    id: '§3 (2)',
    text: 'the resource obtains the certificate, and refuses the token to anybody with another',
  },
  { id: '§3.1', text: 'x5t#S256 is the SHA-256 of the DER in base64url, without padding' },
  {
    id: '§3.2',
    text: 'introspection tells cnf',
    notApplicable: 'tested with introspection: it tells every claim (RFC 7662)',
  },
  { id: '§3.3', text: 'tls_client_certificate_bound_access_tokens says that tokens are bound' },
  {
    id: '§3.4',
    text: 'a client that registered tls_client_certificate_bound_access_tokens gets bound tokens',
    notApplicable: `${UNREGISTERED}; resources and policies demand binding`,
  },
  {
    id: '§4',
    text: 'refresh tokens of public clients are bound to the certificate',
    notApplicable: NO_REFRESH,
  },
  {
    id: '§5',
    text: 'mtls_endpoint_aliases name the endpoints that ask for certificates, where others do not',
    notApplicable: 'one listener serves callers with a certificate and those without',
  },
  { id: '§6.5', text: 'what a proxy says of certificates is authentic: nobody else can say it' },
  {
    id: '§7.1',
    text: 'refresh tokens are bound to the client',
    notApplicable: NO_REFRESH,
  },
  { id: '§7.3', text: 'TLS is used as BCP 195 recommends' },
  {
    id: '§7.4',
    text: 'only authorities that the operator trusts vouch for certificates that identify',
  },
  {
    id: '§7.5',
    text: 'certificates are read by a library that is made for it; bad ones do no harm',
  },
]
