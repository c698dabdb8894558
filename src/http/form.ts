/** `application/x-www-form-urlencoded` bodies (RFC 6749 appendix B), read strictly. */

import type { FastifyRequest } from 'fastify'
import { Refusal } from '../refusal.ts'

const FORM = 'application/x-www-form-urlencoded'
const MAX_PARAMETERS = 32

/** Parameters by name. A name that may be repeated keeps its values in order. */
export type Form = {
  /** The only value; undefined when the parameter is absent or empty (RFC 6749 §3.1). */
  one(name: string): string | undefined
  /** Every value that is not empty, in order. */
  all(name: string): readonly string[]
}

/** The parameters that may be sent more than once (RFC 8707 §2, RFC 8693 §2.1). */
const REPEATABLE = new Set(['resource', 'audience'])

/**
 * @throws Refusal `form_malformed` for bad escapes, bad UTF-8 or too many parameters, `parameter_repeated`
 *   for a repeat that the RFCs do not allow (RFC 6749 §3.2), even with an empty or equal value
 */
export function parseForm(body: string): Form {
  const values = new Map<string, string[]>()
  const pairs = body.split('&', MAX_PARAMETERS + 1)
  if (pairs.length > MAX_PARAMETERS) {
    throw new Refusal('form_malformed', { problem: 'too many parameters', limit: MAX_PARAMETERS })
  }
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : decode(pair.slice(equals + 1))
    if (pair === '') continue
    const earlier = values.get(name)
    if (earlier === undefined) values.set(name, [value])
    else if (REPEATABLE.has(name)) earlier.push(value)
    else throw new Refusal('parameter_repeated', { parameter: name.slice(0, 64) })
  }
  const all = (name: string) => (values.get(name) ?? []).filter((value) => value !== '')
  return { one: (name) => all(name)[0], all }
}

/**
 * The form that an endpoint was sent: in the body, of the one type, and nothing in the query.
 * @throws Refusal `form_malformed`
 */
export function demandForm({ headers, url, body }: FastifyRequest): Form {
  if (headers['content-type']?.split(';')[0]?.trim().toLowerCase() !== FORM) {
    throw new Refusal('form_malformed', { problem: `the content type is not ${FORM}` })
  }
  if (url.includes('?')) {
    throw new Refusal('form_malformed', { problem: 'parameters in the query (RFC 6749 §3.2)' })
  }
  return body as Form
}

/** @throws Refusal `parameter_missing` */
export function need(form: Form, parameter: string): string {
  const value = form.one(parameter)
  if (value === undefined) throw new Refusal('parameter_missing', { parameter })
  return value
}

function decode(text: string): string {
  // Bytes that were no UTF-8 when the body was read.
  if (text.includes('\ufffd')) throw new Refusal('form_malformed', { problem: 'not UTF-8' })
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    // Unlike URLSearchParams it takes no bad escape and no bad UTF-8.
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch (cause) {
    throw new Refusal('form_malformed', { problem: 'bad escape or not UTF-8' }, { cause })
  }
}
