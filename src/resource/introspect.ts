/**
 * How an API asks the broker about a token that it cannot read itself (RFC 7662), or that may have been revoked. What
 * was answered is kept for some seconds, so that a busy API does not ask for each request; a revocation is seen after
 * that time at the latest.
 */

import { createHash } from 'node:crypto'

/**
 * What shows the broker who asks: the credential of the API's own platform, with its type where that is no JWT; or a
 * token of the broker for its introspection endpoint, as `Authorization` (and `DPoP`) headers.
 */
export type Credential =
  | { readonly assertion: string; readonly type?: string }
  | { readonly authorization: string; readonly dpop?: string }

/** Whom to ask, and as whom. */
export type IntrospectorOptions = {
  /** The broker's issuer identifier, exactly. */
  readonly issuer: string
  /** Called for each request. @param endpoint its URL: the audience of a token for it, and what a proof names */
  readonly credential: (endpoint: string) => Promise<Credential>
  /** How long an answer is kept, seconds; 5 if left out, 0 for not at all. Never past the token's own end. */
  readonly keepSeconds?: number
  readonly fetch?: typeof fetch
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Asks about tokens. Both throw when the broker cannot be asked or does not answer: that says nothing of a token. */
export type Introspector = {
  /** Every claim of a token, `active` and `token_type` (RFC 7662 §2.2); null for one that is not active. */
  claims(token: string): Promise<Readonly<Record<string, unknown>> | null>
  /** The JWT of an opaque token (a phantom token), to be verified like every other; null for one that is not active. */
  phantom(token: string): Promise<string | null>
}

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const KEEP_SECONDS = 5
const TIMEOUT_MS = 5_000
/** Answers that are kept, oldest forgotten first: a flood of tokens must not take the memory of the API. */
const MAX_KEPT = 1_000
/** No token of the broker is longer than a header may be; nothing longer is asked about. */
const MAX_TOKEN_CHARACTERS = 16 * 1024

/** Makes a client of the introspection endpoint. */
export function introspector(options: IntrospectorOptions): Introspector {
  const { keepSeconds = KEEP_SECONDS, now } = options
  const claims = keeping(keepSeconds, now, (token) => ask(options, token, 'application/json'))
  const phantoms = keeping(keepSeconds, now, (token) => ask(options, token, 'application/jwt'))
  return {
    async claims(token) {
      const answer = await claims(token)
      return isActive(answer) ? answer : null
    },
    async phantom(token) {
      const answer = await phantoms(token)
      if (typeof answer === 'string') return answer
      if (!isActive(answer)) return null
      throw new Error('the broker gives this workload no JWT: see `servedBy` of the resource')
    },
  }
}

type Answer = Readonly<Record<string, unknown>> | string

function isActive(answer: Answer): answer is Readonly<Record<string, unknown>> {
  return typeof answer !== 'string' && answer['active'] === true
}

/** One question at a time about one token; its answer for some seconds after. Tokens are remembered by hash alone. */
function keeping(
  keepSeconds: number,
  now: () => number,
  asking: (token: string) => Promise<Answer>,
): (token: string) => Promise<Answer> {
  const kept = new Map<string, { readonly answer: Promise<Answer>; readonly until: number }>()
  return (token) => {
    if (token.length > MAX_TOKEN_CHARACTERS) return Promise.resolve({ active: false })
    const key = createHash('sha256').update(token).digest('base64url')
    const known = kept.get(key)
    if (known !== undefined && now() < known.until) return known.answer
    const answer = asking(token)
    // Kept from the start on: whoever asks meanwhile waits for the same answer.
    kept.delete(key)
    kept.set(key, { answer, until: Number.POSITIVE_INFINITY })
    for (const oldest of kept.keys()) {
      if (kept.size <= MAX_KEPT) break
      kept.delete(oldest)
    }
    const settle = (until: number) => {
      if (kept.get(key)?.answer === answer) kept.set(key, { answer, until })
    }
    answer.then(
      (said) => settle(Math.min(now() + keepSeconds * 1000, endOf(said))),
      () => settle(0),
    )
    return answer
  }
}

/** When a token ends, milliseconds. Of a JWT its verifier sees to that. */
function endOf(answer: Answer): number {
  const exp = typeof answer === 'string' ? undefined : answer['exp']
  return typeof exp === 'number' ? exp * 1000 : Number.POSITIVE_INFINITY
}

/** @throws Error for anything but an answer about the token */
async function ask(
  { issuer, credential, fetch: http = globalThis.fetch }: IntrospectorOptions,
  token: string,
  accept: string,
): Promise<Answer> {
  const endpoint = `${issuer}/introspect`
  const shown = await credential(endpoint)
  const body = new URLSearchParams({ token })
  const headers = new Headers({ accept })
  if ('assertion' in shown) {
    body.set('client_assertion', shown.assertion)
    body.set('client_assertion_type', shown.type ?? JWT_BEARER)
  } else {
    headers.set('authorization', shown.authorization)
    if (shown.dpop !== undefined) headers.set('dpop', shown.dpop)
  }
  const response = await http(endpoint, {
    method: 'POST',
    headers,
    body,
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const type = response.headers.get('content-type')?.split(';')[0]?.trim()
  if (response.status === 200 && type === 'application/jwt') return response.text()
  if (response.status === 200 && type === 'application/json') {
    const said: unknown = await response.json()
    if (typeof said === 'object' && said !== null) return said as Readonly<Record<string, unknown>>
  }
  await response.body?.cancel().catch(() => undefined)
  const id = response.headers.get('x-request-id') ?? 'none'
  throw new Error(`the broker answered ${response.status} to an introspection (request ${id})`)
}
