/** What all contenders behind HTTP share: a child that is checked once, then measured round by round. */

import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import { type Child, startChild } from './child.ts'
import type { Figures, Started } from './contender.ts'
import { formPost, load } from './load.ts'
import { stagesBetween, stageTotals } from './stages.ts'

/** A server and what is sent to it. */
export type Station = {
  /** The file in `servers/`, and its settings. */
  readonly server: string
  readonly settings: object
  /** Forms for one round, in order. One form alone is sent again and again. */
  readonly forms: (count: number) => readonly string[]
  /** Makes a DPoP proof, with a nonce once there is one; left out: none is shown. */
  readonly prove?: (nonce: string | null) => string
  /** Judges one answer. @throws Error when the job was not done */
  readonly check: (answer: Answer, child: Child) => Promise<void>
}

/** One answer of a token endpoint. */
export type Answer = { readonly access_token?: unknown }

/** Starts the child, checks one answer of it, and hands it over. */
export async function startStation(station: Station): Promise<Started> {
  const child = await startChild(station.server, station.settings)
  const url = `${child.url}/token`
  try {
    await station.check(await ask(url, station), child)
  } catch (cause) {
    await child.stop()
    throw new Error(`${station.server} does not do its job: ${(cause as Error).message}`, { cause })
  }
  return {
    async round({ connections, seconds, supply }) {
      const nonce = await nonceOf(url, station)
      const requests = station
        .forms(supply)
        .map((form) => formPost(url, form, station.prove?.(nonce)))
      const before = await account(child)
      const seen = await load({ url, connections, seconds, next: supplier(requests) })
      const after = await account(child)
      return { ...seen, ...spentOn(seen.operations, before, after) }
    },
    stop: () => child.stop(),
  }
}

async function ask(url: string, station: Station): Promise<Answer> {
  const response = await send(url, station, await nonceOf(url, station))
  const text = await response.text()
  if (response.status !== 200) throw new Error(`it answered ${response.status}: ${text}`)
  return JSON.parse(text) as Answer
}

/** What the server wants to see in proofs now; null where none are shown. */
async function nonceOf(url: string, station: Station): Promise<string | null> {
  if (station.prove === undefined) return null
  const response = await send(url, station, null)
  await response.body?.cancel()
  return response.headers.get('dpop-nonce')
}

function send(url: string, { forms, prove }: Station, nonce: string | null): Promise<Response> {
  const headers = prove === undefined ? {} : { dpop: prove(nonce) }
  return fetch(url, { method: 'POST', headers, body: new URLSearchParams(forms(1)[0]) })
}

function supplier(requests: readonly Buffer[]): () => Buffer | undefined {
  if (requests.length === 1) return () => requests[0]
  let at = 0
  return () => requests[at++]
}

type Account = { readonly cpuMicros: number; readonly stages: ReadonlyMap<string, number> | null }

async function account(child: Child): Promise<Account> {
  const { adminUrl } = child
  const stages = adminUrl === null ? null : await stageTotals(`${adminUrl}/metrics`)
  return { cpuMicros: await child.cpuMicros(), stages }
}

function spentOn(
  operations: number,
  before: Account,
  after: Account,
): Pick<Figures, 'cpuMicros' | 'stages'> {
  const { stages: from } = before
  const { stages: to } = after
  return {
    cpuMicros: (after.cpuMicros - before.cpuMicros) / operations,
    stages: from === null || to === null ? null : stagesBetween(from, to, operations),
  }
}

/** Verifies an access token with the keys that the server publishes. @throws Error unless it holds */
export async function verifyToken(
  { access_token: token }: Answer,
  { url }: Child,
  expected: { readonly issuer: string; readonly audience: string },
): Promise<JWTPayload> {
  const keys = (await (await fetch(`${url}/jwks`)).json()) as JSONWebKeySet
  const { payload } = await jwtVerify(String(token), createLocalJWKSet(keys), {
    ...expected,
    algorithms: ['ES256'],
    typ: 'at+jwt',
  })
  return payload
}
