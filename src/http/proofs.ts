/** What a request shows of its caller's keys: the `DPoP` header, and the certificates of its connection. */

import type { FastifyRequest } from 'fastify'
import type { Proofs } from '../possession.ts'

/** What a request says of its proof elsewhere. */
type Beside = {
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
  { token }: Beside = {},
): Proofs | null {
  const { dpop } = headers
  if (dpop === undefined) return null
  return { dpop: String(dpop), token: token ?? null, method, url, certificates: [] }
}
