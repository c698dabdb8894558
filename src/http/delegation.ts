/** The parameters of token exchange (RFC 8693 §2.1): whose authority, and who acts. */

import type { Evidence } from '../identity.ts'
import type { Wanted } from '../issuance.ts'
import { isObject, type Json, JsonError, type JsonObject, parseJson } from '../net/json.ts'
import { printable, Refusal } from '../refusal.ts'
import {
  ACCESS_TOKEN,
  ID_JAG,
  JWT,
  looksGranted,
  type ShownSubject,
  TXN_TOKEN,
} from '../subjects.ts'
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

/** What can be asked for, by its name on the wire. */
const ISSUED_TYPES: Readonly<Record<Wanted['type'], string>> = {
  access_token: ACCESS_TOKEN,
  'id-jag': ID_JAG,
  txn_token: TXN_TOKEN,
}

/** `issued_token_type` (RFC 8693 §2.2.1). */
export function issuedType(type: Wanted['type']): string {
  return ISSUED_TYPES[type]
}

/** @throws Refusal `parameter_missing` */
export function readSubject(form: Form): ShownSubject {
  const value = need(form, 'subject_token')
  return { carrier: 'subject_token', value, type: need(form, 'subject_token_type') }
}

/**
 * What an exchange asks for.
 * @throws Refusal `parameter_missing`, `parameter_malformed`
 */
export function readWanted(form: Form): Wanted {
  const requested = form.one('requested_token_type')
  if (requested === undefined || requested === ACCESS_TOKEN) return { type: 'access_token' }
  if (requested !== ID_JAG && requested !== TXN_TOKEN) {
    throw malformed('requested_token_type', requested, Object.values(ISSUED_TYPES))
  }
  const mayAct = form.one('may_act')
  if (mayAct !== undefined) throw malformed('may_act', mayAct, ['an access token asked for'])
  if (requested === ID_JAG) return { type: 'id-jag' }
  // draft-ietf-oauth-transaction-tokens §11.1
  need(form, 'scope')
  return {
    type: 'txn_token',
    context: readObject(form, 'request_context'),
    details: readObject(form, 'request_details'),
  }
}

const MAX_OBJECT_CHARACTERS = 2048
const MAX_OBJECT_DEPTH = 8

function readObject(form: Form, parameter: string): JsonObject | null {
  const text = form.one(parameter)
  if (text === undefined) return null
  const expected = [`a JSON object of at most ${MAX_OBJECT_CHARACTERS} characters`]
  if (text.length > MAX_OBJECT_CHARACTERS) throw malformed(parameter, text.length, expected)
  const value = jsonIn(text)
  // What stands in it may be personal; the operator hears its kind alone.
  if (!isObject(value)) throw malformed(parameter, typeof value, expected)
  return value
}

function jsonIn(text: string): Json | undefined {
  try {
    return parseJson(text, MAX_OBJECT_DEPTH)
  } catch (error) {
    if (error instanceof JsonError) return undefined
    throw error
  }
}

/**
 * A JWT of the grant of RFC 7523 that is not the caller's own word but a provider's: an ID-JAG. The caller shows its
 * own beside it; an ID-JAG alone never yields a token.
 * @returns null for any other assertion
 * @throws Refusal `parameter_missing`, `caller_missing`
 */
export function readGranted(form: Form): ShownSubject | null {
  const value = need(form, 'assertion')
  if (!looksGranted(value)) return null
  if (form.one('client_assertion') === undefined) {
    throw new Refusal('caller_missing', { problem: 'an ID-JAG without a client_assertion' })
  }
  return { carrier: 'assertion', value, type: ID_JAG }
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
