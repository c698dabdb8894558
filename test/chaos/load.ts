/**
 * Callers: each shows one one-time assertion to several replicas at once, tries again after a closed connection and
 * after a 503, and checks every token it gets.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { createLocalJWKSet, errors, type JWK, jwtVerify } from 'jose'
import type { Replica } from './replica.ts'

/** Tries of one request, the first included. */
const TRIES = 4
const RETRY_MS = 150

/** What happened. */
export type Tally = {
  requests: number
  assertions: number
  tokens: number
  closed: number
  replayed: number
  doubleSpends: number
  unverifiable: number
  /** Tokens by key. */
  readonly signedBy: Map<string, number>
  /** `X-Request-Id` of every 5xx. */
  readonly failed: string[]
  readonly surprises: string[]
}

export type Load = {
  readonly replicas: readonly Replica[]
  readonly issuer: string
  readonly resource: string
  readonly mint: () => string
}

type Answer = { readonly status: number; readonly id: string; readonly token: string | null }

/** A tally of nothing yet. */
export function tally(): Tally {
  const counts = { requests: 0, assertions: 0, tokens: 0, closed: 0, replayed: 0 }
  const faults = { doubleSpends: 0, unverifiable: 0 }
  return { ...counts, ...faults, signedBy: new Map(), failed: [], surprises: [] }
}

/** One caller, until it is told to stop. */
export async function call(load: Load, counted: Tally, stopped: () => boolean): Promise<void> {
  const published: Published = new Map()
  for (let turn = 0; !stopped(); turn += 1) {
    const assertion = load.mint()
    counted.assertions += 1
    const answers = await Promise.all(
      load.replicas.map((_, index) => ask(load, counted, assertion, index + turn)),
    )
    const tokens = answers.flatMap((token) => (token === null ? [] : [token]))
    counted.tokens += tokens.length
    if (tokens.length > 1) counted.doubleSpends += 1
    for (const token of tokens) {
      const kid = await verifiedBy(load, published, token)
      if (kid === null) counted.unverifiable += 1
      else counted.signedBy.set(kid, (counted.signedBy.get(kid) ?? 0) + 1)
    }
  }
}

/** Shows an assertion, to another replica after each failure. @returns the token, or null when it is refused */
async function ask(
  load: Load,
  counted: Tally,
  assertion: string,
  first: number,
): Promise<string | null> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const replica = load.replicas[(first + tries) % load.replicas.length]
    if (replica === undefined) break
    counted.requests += 1
    const answer = await post(replica.origin, load.resource, assertion).catch(() => null)
    if (answer === null) counted.closed += 1
    else if (answer.status >= 500) counted.failed.push(answer.id)
    else {
      if (answer.status === 400) counted.replayed += 1
      else if (answer.status !== 200) counted.surprises.push(`${answer.status} ${answer.id}`)
      return answer.token
    }
    if (answer !== null) await pause(RETRY_MS)
  }
  return null
}

async function post(origin: string, resource: string, assertion: string): Promise<Answer> {
  const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
  const body = new URLSearchParams({ grant_type, assertion, resource, scope: 'trades:read' })
  const response = await fetch(`${origin}/token`, { method: 'POST', body })
  const { access_token } = (await response.json()) as { readonly access_token?: string }
  const id = response.headers.get('x-request-id') ?? ''
  return { status: response.status, id, token: access_token ?? null }
}

type Published = Map<string, readonly JWK[]>

/** The key that verifies a token, of all that the replicas publish now; null when there is none. */
async function verifiedBy(load: Load, published: Published, token: string): Promise<string | null> {
  const known = await verify(load, published, token)
  if (known !== null) return known
  // As a resource server does with a key it does not know.
  for (const { origin } of load.replicas) {
    const response = await fetch(`${origin}/jwks`).catch(() => null)
    if (response?.ok !== true) continue
    const { keys } = (await response.json()) as { readonly keys: readonly JWK[] }
    published.set(origin, keys)
  }
  return verify(load, published, token)
}

async function verify(load: Load, published: Published, token: string): Promise<string | null> {
  const union = new Map([...published.values()].flat().map((key) => [key.kid, key]))
  try {
    const { protectedHeader } = await jwtVerify(
      token,
      createLocalJWKSet({ keys: [...union.values()] }),
      { issuer: load.issuer, audience: load.resource },
    )
    return protectedHeader.kid ?? null
  } catch (error) {
    if (error instanceof errors.JOSEError) return null
    throw error
  }
}
