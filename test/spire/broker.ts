/** A whole broker with real listeners over trust entries of SPIFFE kinds, on the wall clock. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import type { AuditEvent } from '../../src/audit.ts'
import { freePorts } from '../../src/cli/ports.ts'
import { run } from '../../src/cli/run.ts'
import { loadConfig } from '../../src/config.ts'
import type { Reason } from '../../src/refusal.ts'
import { scratch } from '../world/scratch.ts'
import { ENDPOINT_ID, PLANNER, type Spire, TRUST_DOMAIN } from './spire.ts'

export const RESOURCE = 'https://mcp.example.com'

/** The planner as an `oidc` entry names it, whose subjects are parts of a path. */
export const OIDC_PLANNER = `spire/${encodeURIComponent(PLANNER).replaceAll('%3A', ':')}`

/** The Cedar principals of the planner, by kind of the entry that vouches. */
const POLICY = [`SpiffeWorkload::"${PLANNER}"`, `OidcSubject::"${OIDC_PLANNER}"`]
  .map(
    (principal, index) => `@id("planner-${index}") @owner("team-agents")
permit (principal == ${principal}, action == Action::"trades:read", resource);`,
  )
  .join('\n')

/** What became of one request. */
export type Outcome = { readonly status: number; readonly event: AuditEvent }

/** An entry that reads the bundle where the trust domain publishes it. */
export function byEndpoint({ bundleUrl, bootstrap }: Spire): object {
  const endpoint = { profile: 'https_spiffe', endpointId: ENDPOINT_ID, allowPrivate: true }
  return {
    spiffe: { trustDomain: TRUST_DOMAIN, bundle: { url: bundleUrl, bootstrap, ...endpoint } },
  }
}

/** An entry that reads the bundle from a file. */
export function byFile(file: string): object {
  return { spiffe: { trustDomain: TRUST_DOMAIN, bundle: { file } } }
}

/** Starts a broker with one trust entry; it closes when the test ends. */
export async function startBroker(
  t: Pick<TestContext, 'after'>,
  entry: object,
  now: () => number = Date.now,
) {
  const folder = scratch(t)
  writeFileSync(join(folder, 'trades.cedar'), POLICY)
  const [port] = await freePorts(1)
  const issuer = `http://127.0.0.1:${port}`
  const settings = {
    issuer,
    listen: { host: '127.0.0.1', port },
    admin: { port: 0 },
    store: { sqlite: ':memory:' },
    trust: [entry],
    resources: [{ audience: RESOURCE, scopes: ['trades:read'] }],
    policies: { path: 'trades.cedar' },
  }
  const outside = { path: 'c.yaml', env: {}, baseDir: folder, readFile: () => assert.fail() }
  const loaded = loadConfig(JSON.stringify(settings), outside)
  assert.ok('config' in loaded, JSON.stringify(loaded))
  const lines: string[] = []
  const auditStream = collect(lines)
  const running = await run(loaded.config, { now, auditStream, logStream: collect([]) })
  t.after(() => running.close())
  return {
    issuer,
    /** Shows a JWT-SVID as the client's own, and asks for a token. */
    async show(token: string, type = 'jwt-spiffe'): Promise<Outcome> {
      const prefix = 'urn:ietf:params:oauth:client-assertion-type:'
      const client = { client_assertion_type: `${prefix}${type}`, client_assertion: token }
      const asked = { grant_type: 'client_credentials', resource: RESOURCE, scope: 'trades:read' }
      return this.post({ ...asked, ...client })
    },
    async post(form: Record<string, string>): Promise<Outcome> {
      const body = new URLSearchParams(form)
      const response = await fetch(`${running.publicUrl}/token`, { method: 'POST', body })
      const id = response.headers.get('x-request-id')
      await response.body?.cancel()
      const event = lines.map((line) => JSON.parse(line) as AuditEvent).find((one) => one.id === id)
      return { status: response.status, event: event ?? assert.fail(`no AuditEvent ${id}`) }
    },
  }
}

export type SpireBroker = Awaited<ReturnType<typeof startBroker>>

/** Asserts that the planner got a token. */
export function assertPlanner({ status, event }: Outcome, id = PLANNER): void {
  assert.equal(status, 200, `${event.reason} ${JSON.stringify(event.detail)}`)
  assert.equal(event.question?.actor.principal.id, id)
}

/** Asserts that this was the reason for a refusal. */
export function assertRefused({ status, event }: Outcome, reason: Reason): void {
  assert.equal(event.reason, reason, JSON.stringify(event.detail))
  assert.equal(status, 401)
}

function collect(lines: string[]): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      lines.push(...String(chunk).split('\n').filter(Boolean))
      done()
    },
  })
}
