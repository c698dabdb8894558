/** A broker as a process of its own, over a stand-in cluster, in a folder of its own. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { freePorts } from '../../src/cli/ports.ts'
import { type StandIn, standIn } from '../../src/cli/standin.ts'
import { scratch } from '../world/scratch.ts'
import { type Started, start } from './cli.ts'

export const RESOURCE = 'https://mcp.example.com'
export const POLICY = `@id("read") @owner("x") permit (principal == ServiceAccount::"prod-eu/payments/settlement",
  action == Action::"trades:read", resource == Audience::"${RESOURCE}");`

export type Site = {
  readonly config: string
  readonly folder: string
  readonly issuer: string
  readonly cluster: StandIn
}

/**
 * A folder with a configuration that serves.
 * @param entry a further setting of the trust entry
 */
export async function site(t: TestContext, entry = 'replay: once'): Promise<Site> {
  const folder = scratch(t)
  const cluster = await standIn()
  t.after(() => cluster.close())
  const [port, admin] = await freePorts(2)
  const issuer = `http://127.0.0.1:${port}`
  const config = join(folder, 'countersign.yaml')
  writeFileSync(join(folder, 'read.cedar'), POLICY)
  writeFileSync(
    config,
    `issuer: ${issuer}
listen: { host: 127.0.0.1, port: ${port} }
admin: { port: ${admin} }
store: { sqlite: state.db }
audit: { file: audit.jsonl }
trust:
  - kubernetes:
      cluster: prod-eu
      issuer: ${cluster.issuer}
      jwks: { discovery: true, allowPrivate: true }
      ${entry}
resources: [{ audience: ${RESOURCE}, scopes: [trades:read] }]
policies: { path: read.cedar }
`,
  )
  return { config, folder, issuer, cluster }
}

/** Starts it. */
export async function serve(t: TestContext, { config }: Site): Promise<Started> {
  const started = start(t, 'serve', '--config', config)
  await started.until(/countersign serves/)
  return started
}

/** A platform token that it trusts. */
export function mint({ cluster, issuer }: Site): string {
  const pod = { namespace: 'payments', serviceAccount: 'settlement' }
  const issuedAt = Math.floor(Date.now() / 1000)
  return cluster.token(pod, { audience: issuer, issuedAt, lifetime: 600 })
}
