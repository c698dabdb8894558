/**
 * A broker to play with: the composition of `serve`, an in-memory store, and a stand-in for the cluster. `dev` and
 * the acts of the demo differ in policies and clock, and in whether there are people.
 */

import { resolve } from 'node:path'
import type { PinPolicy } from '../config/trust.ts'
import { type Config, loadConfig } from '../config.ts'
import { renderProblem } from '../problem.ts'
import { type Running, type RunOptions, run } from './run.ts'
import { type StandIn, standIn } from './standin.ts'

/** The audience of the sample policies. */
export const SAMPLE_RESOURCE = 'https://mcp.example.com'

/** What a playground is made of. */
export type PlaygroundOptions = RunOptions & {
  /** A folder below `policies/`. */
  readonly policies: string
  /** Whether platform tokens are pinned; not, unless it is said. */
  readonly pin?: PinPolicy
  /** Further sections of the configuration, as YAML. */
  readonly sections?: string
  /** Ports of the two listeners. */
  readonly port: number
  readonly adminPort: number
}

/** A broker with its stand-in cluster. */
export type Playground = {
  readonly issuer: string
  readonly cluster: StandIn
  readonly running: Running
  readonly policiesPath: string
  close(): Promise<void>
}

/** Starts both. @throws Error when a port is taken */
export async function playground(options: PlaygroundOptions): Promise<Playground> {
  const cluster = await standIn()
  const policiesPath = packagePath(`policies/${options.policies}`)
  const issuer = `http://127.0.0.1:${options.port}`
  const config = sampleConfig(issuer, cluster.issuer, policiesPath, options)
  try {
    const running = await run(config, options)
    const close = async () => {
      cluster.close()
      await running.close()
    }
    return { issuer, cluster, running, policiesPath, close }
  } catch (error) {
    cluster.close()
    throw error
  }
}

function sampleConfig(
  issuer: string,
  clusterIssuer: string,
  policies: string,
  { port, adminPort, pin = 'off', sections = '' }: PlaygroundOptions,
): Config {
  const yaml = `
issuer: ${issuer}
listen: { host: 127.0.0.1, port: ${port} }
admin: { port: ${adminPort} }
store: { sqlite: ':memory:' }
trust:
  - kubernetes:
      cluster: prod-eu
      issuer: ${clusterIssuer}
      environment: production
      jwks: { discovery: true, allowPrivate: true }
      pin: ${pin}
resources:
  - audience: ${SAMPLE_RESOURCE}
    scopes: [trades:read, trades:write]
    claims: { pod: { fact: pod.uid, grade: A } }
policies:
  path: ${JSON.stringify(policies)}
  zones: [Europe/Berlin]
  calendars:
    change-freeze: { dates: [2026-12-24..2027-01-02], zone: Europe/Berlin }
${sections}`
  const loaded = loadConfig(yaml, {
    path: 'sample.yaml',
    env: {},
    readFile: () => '',
    baseDir: '/',
  })
  if ('config' in loaded) return loaded.config
  throw new Error(loaded.problems.map(renderProblem).join('\n'))
}

/** A path inside this package, whether it runs from sources or from `dist/`. */
export function packagePath(path: string): string {
  const root = import.meta.filename.endsWith('.ts') ? '../..' : '../../..'
  return resolve(import.meta.dirname, root, path)
}
