/** A whole broker with real listeners, composed from a file as `serve` does it, on the wall clock. */

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import type { AuditEvent } from '../../src/audit.ts'
import { freePorts } from '../../src/cli/ports.ts'
import { type Running, run } from '../../src/cli/run.ts'
import { loadConfig } from '../../src/config.ts'
import { renderProblem } from '../../src/problem.ts'
import type { Reason } from '../../src/refusal.ts'
import { scratch } from '../world/scratch.ts'

/** The resource of every broker here. */
export const RESOURCE = 'https://mcp.example.com'
export const SCOPE = 'trades:read'

/** Settings of a trust entry of kind `kubernetes`. */
export type Settings = Readonly<Record<string, unknown>>

export type BrokerOptions = {
  /** From `freeIssuer`. Several brokers may have one issuer, as replicas do. */
  readonly issuer: string
  readonly trust: readonly Settings[]
  /** Cedar ids of the service accounts that may read trades. */
  readonly readers?: readonly string[]
  /** Policies in Cedar, beside those of `readers`. */
  readonly policies?: string
  /** Where it listens. Default: any port of the loopback address. */
  readonly listen?: Settings
}

/** An answer of the token endpoint with what the audit says about it. */
export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
  readonly event: AuditEvent
}

export type TestBroker = {
  readonly issuer: string
  /** Path of its configuration, for commands that take one. */
  readonly config: string
  readonly running: Running
  /** Events written so far. */
  events(): readonly AuditEvent[]
  /** Shows a platform token on either carrier and asks for a token for `RESOURCE`. */
  ask(token: string, carrier?: keyof typeof CARRIERS): Promise<Answer>
}

const BEARER = 'jwt-bearer'
const CARRIERS = {
  assertion: { grant_type: `urn:ietf:params:oauth:grant-type:${BEARER}` },
  client_assertion: {
    grant_type: 'client_credentials',
    client_assertion_type: `urn:ietf:params:oauth:client-assertion-type:${BEARER}`,
  },
}

/** An issuer on the loopback address, with a port that is free, and where a broker of it listens. */
export async function freeIssuer(): Promise<{
  readonly issuer: string
  readonly listen: Settings
}> {
  const [port] = await freePorts(1)
  return { issuer: `http://127.0.0.1:${port}`, listen: { host: '127.0.0.1', port } }
}

/** Starts a broker; it closes when the test ends. @throws Error with the configuration's problems */
export async function startBroker(
  t: Pick<TestContext, 'after'>,
  options: BrokerOptions,
): Promise<TestBroker> {
  const folder = scratch(t)
  const config = join(folder, 'countersign.yaml')
  const policies = [...(options.readers ?? []).map(mayRead), options.policies ?? '']
  writeFileSync(join(folder, 'trades.cedar'), policies.join('\n'))
  writeFileSync(config, JSON.stringify(settings(options), null, 2))
  const lines: string[] = []
  const running = await run(load(config, folder), {
    now: Date.now,
    auditStream: collect(lines),
    logStream: collect([]),
  })
  t.after(() => running.close())
  const events = () => lines.map((line) => JSON.parse(line) as AuditEvent)
  return {
    issuer: options.issuer,
    config,
    running,
    events,
    async ask(token, carrier = 'assertion') {
      const body = new URLSearchParams({
        ...CARRIERS[carrier],
        [carrier]: token,
        resource: RESOURCE,
        scope: SCOPE,
      })
      const response = await fetch(`${running.publicUrl}/token`, { method: 'POST', body })
      const id = response.headers.get('x-request-id')
      const event = events().find((candidate) => candidate.id === id)
      assert.ok(event !== undefined, `no AuditEvent ${id}`)
      const answer = (await response.json()) as Answer['body']
      return { status: response.status, headers: response.headers, body: answer, event }
    },
  }
}

/** Asserts that an answer is this refusal, to the caller and in the audit. */
export function assertRefused(answer: Answer, error: string, reason: Reason): void {
  assert.equal(answer.event.reason, reason, JSON.stringify(answer.event.detail))
  assert.equal(answer.event.outcome, 'refused')
  assert.equal(answer.body['error'], error)
  assert.equal('access_token' in answer.body, false)
}

/** Asserts that a token was issued, and returns it. */
export function issued(answer: Answer): string {
  assert.equal(answer.status, 200, `${answer.event.reason} ${JSON.stringify(answer.event.detail)}`)
  assert.equal(answer.event.outcome, 'issued')
  return String(answer.body['access_token'])
}

function mayRead(principal: string, index: number): string {
  return `@id("reader-${index}") @owner("team-agents")
permit (
  principal == ServiceAccount::${JSON.stringify(principal)},
  action == Action::"${SCOPE}",
  resource == Audience::"${RESOURCE}"
);`
}

function settings({ issuer, trust, listen }: BrokerOptions): Settings {
  return {
    issuer,
    listen: listen ?? { host: '127.0.0.1', port: 0 },
    admin: { port: 0 },
    store: { sqlite: ':memory:' },
    trust: trust.map((kubernetes) => ({ kubernetes })),
    resources: [
      {
        audience: RESOURCE,
        scopes: [SCOPE],
        claims: { pod: { fact: 'pod.uid', grade: 'A' } },
      },
    ],
    policies: { path: 'trades.cedar' },
  }
}

function load(path: string, baseDir: string) {
  const loaded = loadConfig(readFileSync(path), {
    path,
    env: {},
    readFile: (name) => readFileSync(name, 'utf8'),
    baseDir,
  })
  if ('config' in loaded) return loaded.config
  throw new Error(loaded.problems.map(renderProblem).join('\n'))
}

/** A stream whose lines are kept. */
function collect(lines: string[]): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      lines.push(...String(chunk).split('\n').filter(Boolean))
      done()
    },
  })
}
