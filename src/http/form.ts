/** `application/x-www-form-urlencoded` bodies (RFC 6749 appendix B), read strictly. */

import { Refusal } from '../refusal.ts'

const MAX_PARAMETERS = 32
const MALFORMED_ESCAPE = /%(?![0-9A-Fa-f]{2})/

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
  if (MALFORMED_ESCAPE.test(body)) throw new Refusal('form_malformed', { problem: 'bad escape' })
  // URLSearchParams takes it for the query of a URL, and would drop it.
  if (body.startsWith('?')) throw new Refusal('form_malformed', { problem: 'a leading ?' })
  const values = new Map<string, string[]>()
  let count = 0
  for (const [name, value] of new URLSearchParams(body)) {
    // The URL standard replaces what is not UTF-8 instead of failing.
    if (name.includes('\ufffd') || value.includes('\ufffd')) {
      throw new Refusal('form_malformed', { problem: 'not UTF-8' })
    }
    count += 1
    if (count > MAX_PARAMETERS) {
      throw new Refusal('form_malformed', { problem: 'too many parameters', limit: MAX_PARAMETERS })
    }
    const earlier = values.get(name)
    if (earlier === undefined) values.set(name, [value])
    else if (REPEATABLE.has(name)) earlier.push(value)
    else throw new Refusal('parameter_repeated', { parameter: name.slice(0, 64) })
  }
  const all = (name: string) => (values.get(name) ?? []).filter((value) => value !== '')
  return { one: (name) => all(name)[0], all }
}
