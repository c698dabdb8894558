/** Who asks in the story: over HTTP, like anybody else. And what the operator reads of it afterwards. */

import type { JSONWebKeySet } from 'jose'
import { ADVICE } from '../../advice.ts'
import { epochSeconds } from '../../units.ts'
import { type Playground, packagePath, SAMPLE_RESOURCE } from '../playground.ts'
import type { StandInPod } from '../standin.ts'

export const SETTLEMENT: StandInPod = { namespace: 'payments', serviceAccount: 'settlement' }
/** Thursday, 10:15 in Berlin. */
export const IN_HOURS = Date.parse('2026-11-19T09:15:00Z')
/** How long a platform token is good, seconds. */
export const LIFETIME = 600

/** What a caller hears. */
export type Answer = {
  readonly status: number
  readonly requestId: string
  readonly body: Readonly<Record<string, string | number | boolean | undefined>>
}

/** A platform token as it is asked for. */
export type Minted = {
  readonly clock: number
  readonly audience?: string
  /** How long ago it was minted, seconds. */
  readonly age?: number
}

/** What the kubelet mounts into a pod. */
export function platformToken(
  { issuer, cluster }: Playground,
  pod: StandInPod,
  { clock, audience = issuer, age = 0 }: Minted,
): string {
  return cluster.token(pod, { audience, issuedAt: epochSeconds(clock) - age, lifetime: LIFETIME })
}

/** Shows a platform token to the broker. @param send what proves a key with it, if the caller has one */
export function ask(
  ground: Playground,
  assertion: string,
  scope: string,
  send?: Send,
): Promise<Answer> {
  const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
  return post(ground, '/token', { grant_type, assertion, resource: SAMPLE_RESOURCE, scope }, send)
}

type Send = (request: Request) => Promise<Response>

/** Sends a form to an endpoint of the broker. */
export async function post(
  { issuer }: Playground,
  path: '/token' | '/introspect' | '/revoke',
  form: Readonly<Record<string, string>>,
  send: Send = (request) => fetch(request),
): Promise<Answer> {
  const body = new URLSearchParams(form)
  const response = await send(new Request(`${issuer}${path}`, { method: 'POST', body }))
  const text = await response.text()
  const requestId = response.headers.get('x-request-id') ?? ''
  return { status: response.status, requestId, body: text === '' ? {} : JSON.parse(text) }
}

/** Asks or tells something about a token, as a workload that shows its platform token. */
export function about(
  ground: Playground,
  path: '/introspect' | '/revoke',
  token: string,
  assertion: string,
): Promise<Answer> {
  const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  return post(ground, path, { token, client_assertion_type, client_assertion: assertion })
}

/** The public keys of the broker, as anybody gets them. */
export async function publicKeys({ issuer }: Playground): Promise<JSONWebKeySet> {
  return (await (await fetch(`${issuer}/jwks`)).json()) as JSONWebKeySet
}

/** The network of the story: everything is where it is, but the resource server, which is a function. */
export function network(resource: (request: Request) => Promise<Response>): typeof fetch {
  return (input, init) => {
    const request = new Request(input, init)
    return request.url.startsWith(SAMPLE_RESOURCE) ? resource(request) : fetch(request)
  }
}

/** How the operator reads a decision. */
export type Told = {
  readonly reason: string
  readonly advice: string
  readonly lines: readonly string[]
}

/** What an operator gets at `GET /decisions/{id}`. */
export async function explained({ running }: Playground, id: string): Promise<Told> {
  const response = await fetch(`${running.adminUrl}/decisions/${id}`)
  const { event, explanation } = (await response.json()) as {
    event: { reason: keyof typeof ADVICE | null; detail: Record<string, unknown> }
    explanation: { lines: readonly string[] } | null
  }
  const detail = Object.entries(event.detail).map(([name, value]) => `${name}: ${value}`)
  const { reason } = event
  // Where policies permitted it, they are not why it was refused.
  const isTheirs = reason === null || reason.startsWith('policy_')
  const lines = isTheirs ? (explanation?.lines ?? ['', ...detail]) : ['', ...detail]
  return {
    reason: reason ?? 'issued',
    advice: reason === null ? '' : ADVICE[reason],
    lines: lines.filter(nearest).map(fromPackage),
  }
}

/** Of the policies that came near, the nearest is enough for a story. */
function nearest(_line: string, index: number, lines: readonly string[]): boolean {
  const kept = lines.slice(0, index + 1).findLast((line) => !line.startsWith('    '))
  return kept === undefined || !kept.startsWith('  then: ')
}

/** A path or a line with one, shorter. */
export function fromPackage(line: string): string {
  return line.replace(`${packagePath('.')}/`, '')
}
