/** What a request shows of its caller's keys: the `DPoP` header, and the certificates of its connection. */

import type { FastifyRequest } from 'fastify'
import type { Proofs } from '../possession.ts'

/**
 * @param token the access token that the request shows; null for none
 * @param url of the endpoint, as published: a proof names it, and the Host header is the caller's word
 * @returns null when nothing is shown
 */
export function readProofs(
  { headers, method }: FastifyRequest,
  url: string,
  token: string | null = null,
): Proofs | null {
  const { dpop } = headers
  return typeof dpop === 'string' ? { dpop, method, url, token, certificates: [] } : null
}
