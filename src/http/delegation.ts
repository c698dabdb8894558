/** The parameters of token exchange (RFC 8693 §2.1): whose authority, and who acts. */

import type { Evidence } from '../identity.ts'
import { printable, Refusal } from '../refusal.ts'
import { ACCESS_TOKEN, JWT, type ShownSubject } from '../subjects.ts'
import { type Form, need } from './form.ts'

/** RFC 8693 §2.1. */
export const TOKEN_EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** What `actor_token_type` may say, and the format that it means: a workload shows what its platform gave it. */
const ACTOR_TYPES: ReadonlyMap<string, Pick<Evidence, 'format'>> = new Map([
  [JWT, {}],
  [
    'urn:x-countersign:client-assertion-type:aws-caller-identity',
    { format: 'aws-caller-identity' },
  ],
])

/** What can be asked for. A JWT of ours is an access token. */
const ISSUED_TYPES = [ACCESS_TOKEN]

/** @throws Refusal `parameter_missing`, `parameter_malformed` */
export function readSubject(form: Form): ShownSubject {
  const requested = form.one('requested_token_type')
  if (requested !== undefined && !ISSUED_TYPES.includes(requested)) {
    throw malformed('requested_token_type', requested, ISSUED_TYPES)
  }
  return { value: need(form, 'subject_token'), type: need(form, 'subject_token_type') }
}

/**
 * The acting workload's credential; null where it shows none as an actor, but as a client.
 * @throws Refusal `parameter_missing`, `parameter_malformed`
 */
export function readActor(form: Form): Evidence | null {
  const value = form.one('actor_token')
  const type = form.one('actor_token_type')
  if (value === undefined) {
    if (type === undefined) return null
    throw new Refusal('parameter_missing', { parameter: 'actor_token' })
  }
  const said = ACTOR_TYPES.get(need(form, 'actor_token_type'))
  if (said === undefined) {
    throw malformed('actor_token_type', type, [...ACTOR_TYPES.keys()])
  }
  return { role: 'actor', carrier: 'actor_token', value, ...said }
}

function malformed(parameter: string, found: unknown, expected: readonly string[]): Refusal {
  return new Refusal('parameter_malformed', { parameter, found: printable(found), expected })
}
