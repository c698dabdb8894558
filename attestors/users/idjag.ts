/**
 * What an ID-JAG says besides who the person is: to whom it is made out, for what, and that it is good only once
 * (draft-ietf-oauth-identity-assertion-authz-grant §3; MCP Enterprise-Managed Authorization). No I/O. No clock.
 */

import type { Authority } from '../../src/authority.ts'
import type { Json, JsonObject } from '../../src/net/json.ts'
import { canonicalUri } from '../../src/uri.ts'
import { invalidClaim, optionalText, textOf } from '../claims.ts'
import type { UsersSettings } from './settings.ts'

/** RFC 8693 §3: `subject_token_type` of one. */
export const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag'

const NAME = { form: /^[\x20-\x7e]{1,2048}$/, said: '1 to 2048 printable characters' }
const NUMBER = { form: /^[\x20-\x7e]{1,256}$/, said: '1 to 256 printable characters' }

/** RFC 6749 §3.3, of as many characters as our own requests may have. */
const SCOPE = {
  form: /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/,
  said: 'scopes with one space between them',
}
const MAX_SCOPES = 32

/** What an ID-JAG grants, and to whom. */
export type Granted = Pick<Authority, 'of' | 'use'> & {
  /** `jti`: the provider's number for it. */
  readonly once: string
}

/**
 * @param settings of the provider that signed it
 * @param mayAct the only workload that may use it; null where it names none
 * @throws Refusal `claim_invalid`
 */
export function grantedBy(
  claims: JsonObject,
  { clients = {} }: UsersSettings,
  mayAct: string | null,
): Granted {
  const clientId = textOf(claims['client_id'], NAME, 'client_id')
  return {
    once: textOf(claims['jti'], NUMBER, 'jti'),
    of: { audience: resourceOf(claims), scopes: scopesOf(claims) },
    use: {
      by: 'client',
      mayAct,
      name: clientId,
      client: Object.hasOwn(clients, clientId) ? (clients[clientId] ?? clientId) : clientId,
    },
  }
}

/** One that names several could be used at any of them. */
function resourceOf({ resource }: JsonObject): string {
  const sole: Json | undefined =
    Array.isArray(resource) && resource.length === 1 ? resource[0] : resource
  const canonical = typeof sole === 'string' ? canonicalUri(sole) : undefined
  if (canonical !== undefined) return canonical
  throw invalidClaim('resource', 'the absolute URI of one resource', resource)
}

function scopesOf({ scope }: JsonObject): readonly string[] {
  const scopes = [...new Set(optionalText(scope, SCOPE, 'scope')?.split(' '))]
  if (scopes.length <= MAX_SCOPES) return scopes
  throw invalidClaim('scope', `at most ${MAX_SCOPES} scopes`, scope)
}
