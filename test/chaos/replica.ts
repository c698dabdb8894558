/** One replica of `countersign serve`: the real command, killed and started again on the same port. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const CLI = resolve(import.meta.dirname, '../../src/cli.ts')

/** What all replicas have in common. */
export type Site = {
  readonly folder: string
  readonly issuer: string
  readonly clusterIssuer: string
  readonly resource: string
  readonly policies: string
  /** Settings of the trust entry and of the resource beside those of every site, in flow style: `replay: once`. */
  readonly trust?: string
  readonly served?: string
  readonly env: Readonly<Record<string, string>>
}

/** What an audit line is read for. */
export type Recorded = {
  readonly id: string
  readonly outcome: string
  readonly reason: string | null
  readonly evidence: readonly { readonly digest: string | null }[]
}

export type Replica = {
  readonly origin: string
  /** Of its admin listener. */
  readonly admin: string
  /** Its `countersign.yaml`, for commands. */
  readonly config: string
  /** SIGKILL, and a new process once the old one is gone. */
  restart(): Promise<void>
  /** SIGTERM. @returns what it wrote to standard error in all its lives */
  stop(): Promise<string>
  /** Its audit log; a line that a kill cut short is left out. */
  recorded(): readonly Recorded[]
}

/** Starts one and waits until it serves. */
export async function startReplica(site: Site, port: number, admin: number): Promise<Replica> {
  const config = join(site.folder, `countersign-${port}.yaml`)
  const audit = join(site.folder, `audit-${port}.jsonl`)
  writeFileSync(config, settings(site, port, admin, audit))
  let child: ChildProcess | null = null
  let log = ''

  async function start(): Promise<void> {
    const started = spawn(process.execPath, [CLI, 'serve', '--config', config], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Most of a start is reading the sources, which do not change.
      env: { NODE_COMPILE_CACHE: join(site.folder, 'compiled'), ...site.env },
    })
    child = started
    await new Promise<void>((fulfil, reject) => {
      started.stderr?.on('data', (chunk) => {
        log += chunk
        if (String(chunk).includes('countersign serves')) fulfil()
      })
      started.once('exit', () => reject(new Error(`a replica ended by itself:\n${log}`)))
    })
    started.removeAllListeners('exit')
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child === null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
    child = null
  }

  await start()
  return {
    origin: `http://127.0.0.1:${port}`,
    admin: `http://127.0.0.1:${admin}`,
    config,
    async restart() {
      await end('SIGKILL')
      await start()
    },
    async stop() {
      await end('SIGTERM')
      return log
    },
    recorded: () =>
      readFileSync(audit, 'utf8')
        .split('\n')
        .flatMap((line) => {
          try {
            return [JSON.parse(line) as Recorded]
          } catch {
            return []
          }
        }),
  }
}

function settings(site: Site, port: number, admin: number, audit: string): string {
  return `issuer: ${site.issuer}
listen: { host: 127.0.0.1, port: ${port} }
admin: { port: ${admin} }
store: { postgres: "\${env:DATABASE_URL}", connections: 8 }
keys: { secret: "\${env:KEYS_SECRET}" }
audit: { file: ${audit} }
trust:
  - kubernetes: { cluster: prod-eu, issuer: "${site.clusterIssuer}", jwks: { discovery: true, allowPrivate: true }${further(site.trust)} }
resources: [{ audience: "${site.resource}", scopes: [trades:read]${further(site.served)} }]
policies: { path: ${site.policies} }
`
}

function further(settings: string | undefined): string {
  return settings === undefined ? '' : `, ${settings}`
}
