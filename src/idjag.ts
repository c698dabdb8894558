/**
 * Grant → ID-JAG (draft-ietf-oauth-identity-assertion-authz-grant §3): what another authorization server takes as our word
 * for a person or a workload. It is made out to one client there, for one of its resources, and opens nothing here.
 */

import type { Grant } from './grant.ts'
import type { Signer } from './keys.ts'
import { signStatement } from './statement.ts'

/** `typ` of an ID-JAG. */
export const ID_JAG_TYPE = 'oauth-id-jag+jwt'

/** To whom an ID-JAG goes. */
export type Destination = {
  /** The issuer identifier of the other authorization server. */
  readonly issuer: string
  /** By the canonical URI of a workload, its client id there. One that is not here has its URI as client id. */
  readonly clients: Readonly<Record<string, string>>
}

/**
 * @param making our issuer identifier, and the decision id
 */
export function makeIdJag(
  grant: Grant,
  { issuer: audience, clients }: Destination,
  { issuer, jti }: { readonly issuer: string; readonly jti: string },
  signer: Signer,
): string {
  const { clientId, scopes, confirmation, act } = grant
  const claims = {
    iss: issuer,
    sub: grant.subject,
    aud: audience,
    client_id: Object.hasOwn(clients, clientId) ? clients[clientId] : clientId,
    resource: grant.audience,
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    jti,
    iat: grant.issuedAt,
    exp: grant.expiresAt,
    ...(act !== null && { act }),
    ...(confirmation !== null && { cnf: confirmation }),
  }
  return signStatement(ID_JAG_TYPE, claims, signer)
}
