/** What a request shows of its caller's keys: the `DPoP` header, and its client's certificates. */

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Proofs } from '../possession.ts'
import type { ShownCertificates } from './certificates.ts'

/** What a request says of its proof elsewhere. */
type Beside = {
  /** Those of its client, as `certificates.ts` has read them; and whether they are the credential itself. */
  readonly certificates: ShownCertificates
  readonly areCredential?: boolean
  /** The parameter `dpop_jkt`. */
  readonly jkt?: string | undefined
  /** The access token that the caller shows. */
  readonly token?: string | undefined
}

/**
 * @param url of the endpoint, as published: a proof names it, and the Host header is the caller's word
 * @returns null when nothing is shown
 */
export function readProofs(
  { headers, method }: FastifyRequest,
  url: string,
  { certificates: { chain, identifies }, jkt, token, areCredential = false }: Beside,
): Proofs | null {
  const { dpop } = headers
  if (dpop === undefined && jkt === undefined && chain.length === 0) return null
  return {
    dpop: dpop === undefined ? null : String(dpop),
    jkt: jkt ?? null,
    token: token ?? null,
    method,
    url,
    certificates: chain,
    areCredential,
    areHearsay: !identifies,
  }
}

/** Gives the nonce of the next proof to whoever sends proofs, with any answer (RFC 9449 §8.2). */
export function offerNonce(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  newNonce: () => string,
): void {
  if (headers['dpop'] !== undefined) reply.header('dpop-nonce', newNonce())
}
