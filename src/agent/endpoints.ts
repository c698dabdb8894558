/** How the agent library talks to the broker: finds its endpoints, and reads its answers. */

import { pathOf } from '../uri.ts'
import { AgentError } from './failure.ts'

const TIMEOUT_MS = 10_000

/** What the broker's metadata says. */
export type Endpoints = {
  readonly token: string
  /** Null where the broker issues no challenges. */
  readonly challenge: string | null
}

/**
 * Finds the endpoints by RFC 8414 §3, and insists that the document is the issuer's own.
 * @throws AgentError
 */
export async function discover(issuer: string, http: typeof fetch): Promise<Endpoints> {
  const { origin } = new URL(issuer)
  const url = `${origin}/.well-known/oauth-authorization-server${pathOf(issuer)}`
  const document = (await ask(http, url, {})) as Record<string, unknown>
  const { token_endpoint: token, challenge_endpoint: challenge = null } = document
  if (document['issuer'] !== issuer || typeof token !== 'string') {
    throw new AgentError('issuer_mismatched', `${url} is not the metadata of ${issuer}`, null)
  }
  for (const endpoint of [token, challenge]) {
    if (endpoint !== null && URL.parse(String(endpoint))?.origin !== origin) {
      throw new AgentError('issuer_mismatched', `${issuer} names an endpoint elsewhere`, null)
    }
  }
  return { token, challenge: challenge === null ? null : String(challenge) }
}

/** The part of `fetch` that is used here. */
export type Send = (url: string, init: RequestInit) => Promise<Response>

/**
 * A new challenge of the broker, for evidence that the platform signs for it.
 * @throws AgentError, `challenge_unavailable` where the broker gives none
 */
export async function challengeOf(issuer: string, http: typeof fetch): Promise<string> {
  const { challenge } = await discover(issuer, http)
  if (challenge === null) {
    throw new AgentError('challenge_unavailable', `${issuer} issues no challenges`, null)
  }
  const answered = (await ask(http, challenge, { method: 'POST' })) as Record<string, unknown>
  const { attestation_challenge: nonce } = answered
  if (typeof nonce === 'string') return nonce
  throw new AgentError('challenge_unavailable', `${challenge} gave no challenge`, null)
}

/**
 * Sends one request and reads its answer.
 * @throws AgentError with the broker's code and sentence, or `broker_unreachable`
 */
export async function ask(http: Send, url: string, init: RequestInit): Promise<unknown> {
  return answer(await send(http, url, init))
}

async function send(http: Send, url: string, init: RequestInit): Promise<Response> {
  try {
    return await http(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch (cause) {
    throw new AgentError('broker_unreachable', `cannot reach ${url}`, null, { cause })
  }
}

async function answer(response: Response): Promise<unknown> {
  const requestId = response.headers.get('x-request-id')
  const body: unknown = await response.json().catch(() => null)
  if (response.ok && typeof body === 'object' && body !== null) return body
  const { error, error_description: sentence } = (body ?? {}) as Record<string, string | undefined>
  throw new AgentError(
    error ?? `http_${response.status}`,
    sentence ?? `the broker answered ${response.status} without a reason`,
    requestId,
  )
}
