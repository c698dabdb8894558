/** A request to a resource server: the token that it shows, and whether it was made by the token's holder (RFC 9449 §7). */

import { type Proof, proofReader } from '../dpop.ts'
import type { Nonces } from '../nonce.ts'
import { REASONS, Refusal } from '../refusal.ts'
import { boundTo } from './binding.ts'
import { type AnswerHeaders, challenge, InvalidToken } from './failure.ts'
import type { Replays } from './replays.ts'

/** A request as a server has it: of Node, Fastify or Express, or of `fetch`. */
export type ResourceRequest = {
  readonly method: string
  /** Its whole path (Express: `originalUrl`), with or without a query. Of an absolute URL only that is read: its host is the caller's word. */
  readonly url: string
  readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>
  /** DER of the certificate with which the client opened its TLS connection (`getPeerCertificate().raw`). */
  readonly certificate?: Buffer
}

/** How proofs are judged. */
export type ProofRules = {
  /** Where clients reach this server, without the path of a request. */
  readonly publicUrl: string
  /** What proofs have to repeat; null where they need no nonce. */
  readonly nonces: Nonces | null
  readonly replays: Replays
}

/** The token of a request, by one of the two schemes that there are. */
export type ShownToken = { readonly scheme: 'Bearer' | 'DPoP'; readonly token: string }

/** One scheme, one token68 (RFC 9110 §11.2). */
const AUTHORIZATION = /^(bearer|dpop) +([A-Za-z0-9._~+/-]+=*)$/i

/** @throws InvalidToken when there is none */
export function readAuthorization({ headers }: ResourceRequest): ShownToken {
  const [, scheme, token] = AUTHORIZATION.exec(headerOf(headers, 'authorization') ?? '') ?? []
  if (scheme === undefined || token === undefined) {
    throw new InvalidToken('no access token', undefined, challenge(null, null))
  }
  return { scheme: scheme.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer', token }
}

/** Judges whether the caller is the holder of a token that holds. */
export type Possess = (
  request: ResourceRequest,
  shown: ShownToken,
  claims: Readonly<Record<string, unknown>>,
  nowSeconds: number,
) => Promise<void>

/** @returns a judge that throws InvalidToken for a caller who does not prove the key of the token */
export function possess(rules: ProofRules): Possess {
  const readProof = proofReader()
  return async (request, shown, claims, now) => {
    const { scheme, token } = shown
    const proof = scheme === 'DPoP' ? prove(request, token, now, rules, readProof) : null
    const { certificate } = request
    const proved = { ...(certificate && { certificate }), ...(proof && { jkt: proof.jkt }) }
    // RFC 9449 §7.2: a token that is bound by DPoP is no bearer token; nor is any other one bound by the scheme.
    if (!boundTo(claims, proved) || (proof !== null && !isBoundToKey(claims))) {
      const headers = challenge(scheme, 'invalid_token')
      throw new InvalidToken('the token is bound to another key', undefined, headers)
    }
    if (proof !== null && !(await rules.replays.isFirst(proof.key, proof.until, now))) {
      const headers = challenge('DPoP', 'invalid_dpop_proof')
      throw new InvalidToken('the proof was used before', undefined, headers)
    }
  }
}

function prove(
  request: ResourceRequest,
  token: string,
  now: number,
  { publicUrl, nonces }: ProofRules,
  readProof: ReturnType<typeof proofReader>,
): Proof {
  const checkNonce = (nonce: string | undefined) => nonces?.check(nonce, now)
  const occasion = {
    method: request.method,
    url: `${publicUrl}${pathOf(request.url)}`,
    token,
    checkNonce,
  }
  try {
    return readProof(headerOf(request.headers, 'dpop') ?? '', occasion, now)
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    const wantsNonce = REASONS[cause.reason].answer === 'nonce'
    const headers = challenge('DPoP', wantsNonce ? 'use_dpop_nonce' : 'invalid_dpop_proof')
    throw new InvalidToken(cause.reason, { cause }, { ...headers, ...nextNonce(nonces, now) })
  }
}

/** The nonce of the next proof, for any answer to one (RFC 9449 §8.2, §9). */
export function nextNonce(nonces: Nonces | null, nowSeconds: number): AnswerHeaders {
  return nonces === null ? {} : { 'DPoP-Nonce': nonces.offer(nowSeconds) }
}

function isBoundToKey({ cnf }: Readonly<Record<string, unknown>>): boolean {
  return typeof cnf === 'object' && cnf !== null && 'jkt' in cnf
}

/** A repeated header is joined by a comma, as Node and `Headers` do: no token and no proof has one. */
function headerOf(headers: ResourceRequest['headers'], name: string): string | undefined {
  const value = headers instanceof Headers ? headers.get(name) : headers[name]
  return value === null || value === undefined ? undefined : String(value)
}

function pathOf(url: string): string {
  return url.startsWith('/') ? url : (URL.parse(url)?.pathname ?? '/')
}
