/** Requests with a DPoP proof (RFC 9449 §4.2), and once more where the server wants its nonce in it (§8, §9). */

import { hash, randomUUID } from 'node:crypto'
import type { AgentKey } from './key.ts'

/** What a proof says. */
export type Said = {
  readonly method: string
  /** Of the request; its query and fragment are left out. */
  readonly url: string
  /** Epoch seconds. */
  readonly at: number
  /** The access token beside it; null at the token endpoint. */
  readonly token: string | null
  /** What the server gave last; null before it gave any. */
  readonly nonce: string | null
}

/** A new proof, good for one request. */
export function makeProof(key: AgentKey, { method, url, at, token, nonce }: Said): string {
  const { origin, pathname } = new URL(url)
  const header = encode({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk })
  const payload = encode({
    jti: randomUUID(),
    htm: method,
    htu: `${origin}${pathname}`,
    iat: at,
    ...(token !== null && { ath: hash('sha256', token, 'base64url') }),
    ...(nonce !== null && { nonce }),
  })
  const input = `${header}.${payload}`
  return `${input}.${key.sign(input).toString('base64url')}`
}

/** `fetch` for one server, which proves the key with every request. */
export type ProvingFetch = (request: Request, token: string | null) => Promise<Response>

/**
 * @param now milliseconds since the epoch
 * @returns `fetch` that keeps the server's nonce: those of the broker and of a resource are not the same (§9)
 */
export function proving(key: AgentKey, http: typeof fetch, now: () => number): ProvingFetch {
  let nonce: string | null = null

  async function send(request: Request, token: string | null): Promise<Response> {
    const { method, url } = request
    const at = Math.floor(now() / 1000)
    request.headers.set('dpop', makeProof(key, { method, url, at, token, nonce }))
    const response = await http(request)
    nonce = response.headers.get('dpop-nonce') ?? nonce
    return response
  }

  return async (request, token) => {
    const again = request.clone()
    const shown = nonce
    const response = await send(request, token)
    const wanted = token === null ? await endpointWants(response) : resourceWants(response)
    if (nonce === shown || !wanted) return response
    await response.body?.cancel()
    return send(again, token)
  }
}

/** RFC 9449 §8: the token endpoint says so in its body. */
async function endpointWants(response: Response): Promise<boolean> {
  if (response.status !== 400) return false
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => null)
  return (body as { readonly error?: unknown } | null)?.error === 'use_dpop_nonce'
}

/** RFC 9449 §9. */
function resourceWants({ status, headers }: Response): boolean {
  return status === 401 && /\berror="use_dpop_nonce"/.test(headers.get('www-authenticate') ?? '')
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
