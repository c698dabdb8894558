/** What a request about tokens shows of its caller: an assertion in the form, or a token in the Authorization header. */

import type { FastifyRequest } from 'fastify'
import type { ShownCaller } from '../caller.ts'
import { Refusal } from '../refusal.ts'
import { plainAddress } from './address.ts'
import type { ReadCertificates } from './certificates.ts'
import { readAttestation, readClientAssertion } from './evidence.ts'
import type { Form } from './form.ts'
import { readProofs } from './proofs.ts'

/** RFC 6750 §2.1, RFC 9449 §7.1: one scheme, one token68 (RFC 9110 §11.2). */
const AUTHORIZATION = /^(bearer|dpop) +([A-Za-z0-9._~+/-]+=*)$/i

/** What the endpoints about tokens have in common. */
export type CallerRoom = {
  /** The longest form that is read. */
  readonly bodyLimitBytes: number
  /** The URL of the endpoint as published. */
  readonly endpoint: string
  readonly certificates: ReadCertificates
  /** What the next DPoP proof has to repeat. */
  readonly newNonce: () => string
}

/**
 * @throws Refusal `credentials_ambiguous`, `parameter_missing`, `parameter_malformed`, `attestation_refused`
 */
export function readCaller(
  request: FastifyRequest,
  form: Form,
  { endpoint, certificates }: Pick<CallerRoom, 'endpoint' | 'certificates'>,
): ShownCaller {
  const { authorization: header } = request.headers
  const asserting =
    form.one('client_assertion') !== undefined || form.one('client_assertion_type') !== undefined
  // RFC 6749 §2.3: one method of client authentication a request. We issue no secrets at all.
  if (form.one('client_secret') !== undefined || (asserting && header !== undefined)) {
    throw new Refusal('credentials_ambiguous', { problem: 'more than one way to authenticate' })
  }
  const authorization = header === undefined ? null : readAuthorization(header)
  return {
    id: request.id,
    sourceIp: plainAddress(request.ip),
    endpoint,
    assertion: asserting
      ? { evidence: readClientAssertion(form), attestation: readAttestation(form) }
      : null,
    clientId: form.one('client_id') ?? null,
    authorization,
    proofs: readProofs(request, endpoint, {
      token: authorization?.token,
      certificates: certificates(request),
      // Who signed it was judged when the token was bound to it.
      areCredential: true,
    }),
  }
}

/** @throws Refusal `caller_missing` for what is not a token of a scheme that is known here */
function readAuthorization(header: string): NonNullable<ShownCaller['authorization']> {
  const [, scheme, token] = AUTHORIZATION.exec(header) ?? []
  if (scheme === undefined || token === undefined) {
    throw new Refusal('caller_missing', { problem: 'no token of the Bearer or DPoP scheme' })
  }
  return { scheme: scheme.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer', token }
}
