/**
 * A trust domain by real SPIRE: one server with its bundle endpoint, one agent with its Workload API, and an entry for
 * the user who runs the tests. Keys in memory, everything else in a folder that goes when the test ends.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { connect } from 'node:tls'
import { freePorts } from '../../src/cli/ports.ts'
import { Child, type Owner, print } from './children.ts'

export const TRUST_DOMAIN = 'example.org'
export const ENDPOINT_ID = `spiffe://${TRUST_DOMAIN}/spire/server`
export const PLANNER = `spiffe://${TRUST_DOMAIN}/ns/agents/sa/planner`
export const JWT_ISSUER = 'https://oidc.example.org'

const NODE = `spiffe://${TRUST_DOMAIN}/node`

/** Which authorities of the server. */
type Kind = 'x509' | 'jwt'

export class Spire {
  readonly folder: string
  /** As SPIFFE_ENDPOINT_SOCKET has it. */
  readonly socket: string
  readonly bundleUrl: string
  /** The bundle as it was when everything had started. */
  readonly bootstrap: string
  readonly agent: Child
  private readonly admin: string

  private constructor(parts: Pick<Spire, 'folder' | 'bundleUrl' | 'bootstrap' | 'agent'>) {
    this.folder = parts.folder
    this.bundleUrl = parts.bundleUrl
    this.bootstrap = parts.bootstrap
    this.agent = parts.agent
    this.admin = adminOf(parts.folder)
    this.socket = `unix://${socketOf(parts.folder)}`
  }

  static async start(t: Pick<TestContext, 'after'>): Promise<Spire> {
    const own = backwards(t)
    const folder = mkdtempSync(join(tmpdir(), 'countersign-spire-'))
    own.after(() => rmSync(folder, { recursive: true, force: true }))
    const [port = 0, bundlePort = 0] = await freePorts(2)
    const server = write(folder, 'server.conf', serverConfig(folder, port, bundlePort))
    const running = new Child(own, 'spire-server', 'run', '-config', server)
    const ask = (...args: readonly string[]) =>
      print('spire-server', ...args, '-socketPath', adminOf(folder))
    await running.until('its API', () => ask('healthcheck'))
    const agentConf = write(folder, 'agent.conf', agentConfig(folder, port))
    write(folder, 'bootstrap.pem', await ask('bundle', 'show'))
    const entry = ['-parentID', NODE, '-spiffeID', PLANNER, '-selector', `unix:uid:${uid()}`]
    await ask('entry', 'create', ...entry)
    const { value } = JSON.parse(
      await ask('token', 'generate', '-spiffeID', NODE, '-output', 'json'),
    )
    const agent = new Child(own, 'spire-agent', 'run', '-config', agentConf, '-joinToken', value)
    const fetch = ['api', 'fetch', 'x509', '-socketPath', socketOf(folder)]
    await agent.until('the first SVID', () => print('spire-agent', ...fetch))
    const bundle = await ask('bundle', 'show', '-format', 'spiffe')
    const bootstrap = write(folder, 'bootstrap.json', bundle)
    return new Spire({ folder, bundleUrl: `https://127.0.0.1:${bundlePort}`, bootstrap, agent })
  }

  /** Asks the server, as its administrator. */
  ask(...args: readonly string[]): Promise<string> {
    return print('spire-server', ...args, '-socketPath', this.admin)
  }

  /** The bundle in SPIFFE format. */
  bundle(): Promise<string> {
    return this.ask('bundle', 'show', '-format', 'spiffe')
  }

  /** Who issued the certificate that the bundle endpoint shows now. */
  endpointIssuer(): Promise<string> {
    const { hostname, port } = new URL(this.bundleUrl)
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false })
      socket.on('error', reject)
      socket.on('secureConnect', () => {
        resolve(socket.getPeerX509Certificate()?.issuer ?? '')
        socket.destroy()
      })
    })
  }

  /** Makes a new authority and puts it into the bundle. */
  async prepare(kind: Kind): Promise<void> {
    await this.authority(kind, 'prepare')
  }

  /** Signs with the new authority from now on. What the old one signed is to be replaced. */
  async replace(kind: Kind): Promise<void> {
    const { prepared } = await this.authorities(kind)
    await this.authority(kind, 'activate', prepared)
    const { old } = await this.authorities(kind)
    await this.authority(kind, 'taint', old)
  }

  /** Takes the old authority out of the bundle. */
  async revoke(kind: Kind): Promise<void> {
    const { old } = await this.authorities(kind)
    await this.authority(kind, 'revoke', old)
  }

  private authority(kind: Kind, verb: string, id?: string): Promise<string> {
    return this.ask('localauthority', kind, verb, ...(id === undefined ? [] : ['-authorityID', id]))
  }

  private async authorities(
    kind: Kind,
  ): Promise<{ readonly old?: string; readonly prepared?: string }> {
    const shown = JSON.parse(await this.ask('localauthority', kind, 'show', '-output', 'json'))
    return { old: shown.old?.authority_id, prepared: shown.prepared?.authority_id }
  }
}

/** Ends what was begun last first, because a folder cannot go while a program writes into it. */
function backwards(t: Pick<TestContext, 'after'>): Owner {
  const ends: (() => unknown)[] = []
  t.after(async () => {
    for (const end of ends.reverse()) await end()
  })
  return { after: (end) => void ends.push(end) }
}

function uid(): number {
  const found = process.getuid?.()
  if (found === undefined) throw new Error('this system has no user ids')
  return found
}

function write(folder: string, name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** Where the server listens for its administrator. */
export function adminOf(folder: string): string {
  return join(folder, 'server.sock')
}

function socketOf(folder: string): string {
  return join(folder, 'agent.sock')
}

function serverConfig(folder: string, port: number, bundlePort: number): string {
  return `server {
  bind_address = "127.0.0.1"
  bind_port = ${port}
  socket_path = "${adminOf(folder)}"
  trust_domain = "${TRUST_DOMAIN}"
  data_dir = "${folder}/server"
  log_level = "WARN"
  jwt_issuer = "${JWT_ISSUER}"
  federation {
    bundle_endpoint {
      address = "127.0.0.1"
      port = ${bundlePort}
      profile "https_spiffe" {}
    }
  }
}
plugins {
  DataStore "sql" {
    plugin_data {
      database_type = "sqlite3"
      connection_string = "${folder}/datastore.sqlite3"
    }
  }
  KeyManager "memory" { plugin_data {} }
  NodeAttestor "join_token" { plugin_data {} }
}
`
}

function agentConfig(folder: string, port: number): string {
  return `agent {
  data_dir = "${folder}/agent"
  log_level = "WARN"
  server_address = "127.0.0.1"
  server_port = ${port}
  socket_path = "${socketOf(folder)}"
  trust_bundle_path = "${folder}/bootstrap.pem"
  trust_domain = "${TRUST_DOMAIN}"
  experimental { sync_interval = "1s" }
}
plugins {
  KeyManager "memory" { plugin_data {} }
  NodeAttestor "join_token" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data {} }
}
`
}
