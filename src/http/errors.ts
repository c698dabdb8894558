/**
 * Refusal → the error body of RFC 6749 §5.2. The caller hears one sentence and a request id; the reason goes to
 * the log and the audit. Anything that is not a Refusal is our fault and says nothing at all.
 */

import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { PROOF_ALGORITHMS } from '../dpop.ts'
import type { Carrier } from '../identity.ts'
import { type Answer, REASONS, type Reason, Refusal } from '../refusal.ts'
import { allowAnyOrigin } from './cors.ts'
import type { Form } from './form.ts'

/** An error body. `request_id` is the decision id, also in `X-Request-Id`. */
export type ErrorBody = {
  readonly error: string
  readonly error_description: string
  readonly request_id: string
}

type Wire = { readonly status: number; readonly error: string }

/** Seconds after which a caller may find a dependency working again. */
const RETRY_AFTER_SECONDS = 5

const WIRE: Readonly<Record<Exclude<Answer, 'evidence'>, Wire>> = {
  request: { status: 400, error: 'invalid_request' },
  client: { status: 401, error: 'invalid_client' },
  grant_type: { status: 400, error: 'unsupported_grant_type' },
  target: { status: 400, error: 'invalid_target' },
  scope: { status: 400, error: 'invalid_scope' },
  proof: { status: 400, error: 'invalid_dpop_proof' },
  nonce: { status: 400, error: 'use_dpop_nonce' },
  caller: { status: 401, error: 'invalid_client' },
  dependency: { status: 503, error: 'temporarily_unavailable' },
  overload: { status: 503, error: 'temporarily_unavailable' },
}

/** What bad evidence is called depends on the parameter that carried it, or the evidence that it stands beside. */
const EVIDENCE_WIRE: Readonly<Record<Exclude<Carrier, 'attestation'>, Wire>> = {
  assertion: { status: 400, error: 'invalid_grant' },
  client_assertion: { status: 401, error: 'invalid_client' },
  authorization: { status: 401, error: 'invalid_token' },
  certificate: { status: 401, error: 'invalid_client' },
  subject_token: { status: 400, error: 'invalid_request' },
  actor_token: { status: 400, error: 'invalid_request' },
}

/** Fastify's own refusals, before any of our code ran. */
const FRAMEWORK_REASONS: Readonly<Record<string, Reason | undefined>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'form_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'form_malformed',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'form_malformed',
  FST_ERR_CTP_EMPTY_TYPE: 'form_malformed',
  // The caller went away before its body had come.
  ECONNRESET: 'form_malformed',
}

/** Hears of every refusal, with the id of its request. */
export type CountsRefusals = {
  refused(reason: Reason | 'internal_error', id: string): void
}

/**
 * The one exit for everything that was thrown while a request was served.
 * @param readable whether pages of any origin may read what is answered
 */
export function errorHandler(counts: CountsRefusals, readable = true) {
  return (error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): unknown => {
    if (readable) allowAnyOrigin(reply)
    const refusal = asRefusal(error)
    if (refusal === null) {
      request.log.error({ err: error, id: request.id }, 'internal error')
      counts.refused('internal_error', request.id)
      return answerError(reply, 500, {
        error: 'server_error',
        error_description: 'The server met an unexpected condition.',
        request_id: request.id,
      })
    }
    counts.refused(refusal.reason, request.id)
    return answerRefusal(refusal, request, reply)
  }
}

function answerRefusal(refusal: Refusal, request: FastifyRequest, reply: FastifyReply): unknown {
  const { answer, sentence } = REASONS[refusal.reason]
  const { status, error } = wireOf(answer, refusal, request)
  const ours = status === 503
  const { reason, detail, cause } = refusal
  request.log[ours ? 'warn' : 'info']({ id: request.id, reason, detail, cause }, 'refused')
  const scheme = status === 401 ? challenge(refusal, request, error) : null
  if (scheme !== null) reply.header('www-authenticate', scheme)
  if (ours) reply.header('retry-after', RETRY_AFTER_SECONDS)
  return answerError(reply, status, {
    error,
    error_description: sentence,
    request_id: request.id,
  })
}

/** Sends an error body that no cache may keep. */
export function answerError(reply: FastifyReply, status: number, body: ErrorBody): unknown {
  return reply.code(status).header('cache-control', 'no-store').send(body)
}

function asRefusal(error: FastifyError | Error): Refusal | null {
  if (error instanceof Refusal) return error
  const reason = 'code' in error ? FRAMEWORK_REASONS[error.code] : undefined
  return reason === undefined ? null : new Refusal(reason, { problem: error.message })
}

/** A proof beside a token in a header is refused as that token would be (RFC 9449 §7.1, §9). */
function wireOf(answer: Answer, refusal: Refusal, request: FastifyRequest): Wire {
  if (answer === 'evidence') return EVIDENCE_WIRE[carrierOf(refusal, request)]
  const isProof = answer === 'proof' || answer === 'nonce'
  const beside = isProof && carrierOf(refusal, request) === 'authorization'
  return beside ? { ...WIRE[answer], status: 401 } : WIRE[answer]
}

/** What is refused: the credential that the refusal names, or whichever the caller has shown of itself. */
function carrierOf({ carrier }: Refusal, request: FastifyRequest): keyof typeof EVIDENCE_WIRE {
  if (carrier !== null && carrier !== 'attestation') return carrier
  const form = request.body as Form | undefined
  if (form?.one('client_assertion') !== undefined) return 'client_assertion'
  if (form?.one('actor_token') !== undefined) return 'actor_token'
  if (form?.one('assertion') !== undefined) return 'assertion'
  // A token in a header is taken where no assertion is (`caller.ts`); else it is in the connection.
  return request.headers.authorization === undefined ? 'certificate' : 'authorization'
}

/**
 * RFC 9110 §11.6.1: a 401 says how to come back, in the words of RFC 6750 §3 and RFC 9449 §7.1. Null for whoever sent an
 * assertion: there is no scheme for that, and clients would take any other for the reason.
 */
function challenge(refusal: Refusal, request: FastifyRequest, error: string): string | null {
  if (carrierOf(refusal, request) === 'client_assertion') return null
  const { authorization = '' } = request.headers
  const isProof = /^dpop /i.test(authorization)
  const said = error === 'invalid_client' ? [] : [`error="${error}"`]
  if (isProof) said.push(`algs="${PROOF_ALGORITHMS.join(' ')}"`)
  return [isProof ? 'DPoP' : 'Bearer', said.join(', ')].filter(Boolean).join(' ')
}
