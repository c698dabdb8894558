/** What a resource server answers to a token that it does not take (RFC 6750 §3, RFC 9449 §7.1). */

import { PROOF_ALGORITHMS } from '../dpop.ts'

/** Headers of an answer. */
export type AnswerHeaders = Readonly<Record<string, string>>

/** Error codes of RFC 6750 §3.1 and RFC 9449 §12.2; null where no token was shown. */
type Code = 'invalid_token' | 'invalid_dpop_proof' | 'use_dpop_nonce' | null

/** A token that is not for this resource, not from this broker, no longer valid, or not its bearer's: answer 401. */
export class InvalidToken extends Error {
  /** What the answer has to carry: `WWW-Authenticate`, and `DPoP-Nonce` where there is one to use. */
  readonly headers: AnswerHeaders

  constructor(message: string, options?: ErrorOptions, headers: AnswerHeaders = BEARER) {
    super(message, options)
    this.name = 'InvalidToken'
    this.headers = headers
  }
}

const BEARER: AnswerHeaders = { 'WWW-Authenticate': 'Bearer error="invalid_token"' }

const ALGS = `algs="${PROOF_ALGORITHMS.join(' ')}"`

/**
 * The challenge of a 401.
 * @param scheme with which the token came; null names those that there are
 */
export function challenge(scheme: 'Bearer' | 'DPoP' | null, code: Code): AnswerHeaders {
  const error = code === null ? '' : `error="${code}"`
  const bearer = ['Bearer', error].filter(Boolean).join(' ')
  const dpop = `DPoP ${[error, ALGS].filter(Boolean).join(', ')}`
  const said = { Bearer: bearer, DPoP: dpop }
  return { 'WWW-Authenticate': scheme === null ? `${bearer}, ${dpop}` : said[scheme] }
}
