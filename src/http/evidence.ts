/** Parameters of a form → Evidence: the credentials that any endpoint takes (RFC 7521 §4.2). */

import type { Evidence } from '../identity.ts'
import { printable, Refusal } from '../refusal.ts'
import { type Form, need } from './form.ts'

/**
 * What `client_assertion_type` may say: of a JWT, the kind of attestor that has to answer for it, where it is not
 * whichever is selected (RFC 7523 §2.2; draft-ietf-oauth-spiffe-client-auth §3.1); of other evidence, its format.
 */
const ASSERTION_TYPES: ReadonlyMap<string, Pick<Evidence, 'kind' | 'format'>> = new Map([
  ['urn:ietf:params:oauth:client-assertion-type:jwt-bearer', {}],
  ['urn:ietf:params:oauth:client-assertion-type:jwt-spiffe', { kind: 'spiffe' }],
  [
    'urn:x-countersign:client-assertion-type:aws-caller-identity',
    { format: 'aws-caller-identity' },
  ],
])

/** What `attestation_type` may say, and the format that it means. */
const ATTESTATION_TYPES: ReadonlyMap<string, string> = new Map([
  ['urn:x-countersign:attestation-type:azure-document', 'azure-document'],
  ['urn:x-countersign:attestation-type:azure-attestation', 'azure-attestation'],
  ['urn:x-countersign:attestation-type:nitro', 'nitro'],
])

/**
 * A workload that authenticates with the credential of its platform.
 * @throws Refusal `parameter_missing`, `parameter_malformed`
 */
export function readClientAssertion(form: Form): Evidence {
  const said = assertionType(form)
  const value = need(form, 'client_assertion')
  return { role: 'workload', carrier: 'client_assertion', value, ...said }
}

/** Second evidence goes with either carrier. */
export function readAttestation(form: Form): Evidence | null {
  const type = form.one('attestation_type')
  if (type === undefined && form.one('attestation') === undefined) return null
  const value = need(form, 'attestation')
  const format = ATTESTATION_TYPES.get(need(form, 'attestation_type'))
  if (format === undefined) {
    const expected = [...ATTESTATION_TYPES.keys()]
    throw new Refusal('attestation_refused', { found: printable(type), expected })
  }
  return { role: 'attestation', carrier: 'attestation', value, format }
}

function assertionType(form: Form): Pick<Evidence, 'kind' | 'format'> {
  const type = need(form, 'client_assertion_type')
  const said = ASSERTION_TYPES.get(type)
  if (said !== undefined) return said
  throw new Refusal('parameter_malformed', {
    parameter: 'client_assertion_type',
    found: printable(type),
    expected: [...ASSERTION_TYPES.keys()],
  })
}
