/** A real cluster, through `kubectl` and nothing else: what a test does to it and what it says about itself. */

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** An object of the API as JSON. */
export type Manifest = Readonly<Record<string, unknown>> & { readonly kind: string }

/** The parts of an object that are compared with what was attested. */
export type Stored = {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string }
  readonly spec: { readonly nodeName?: string }
  readonly status: { readonly podIP?: string }
}

/** No command may take longer: waits of kubectl have limits of their own below this. */
const TIMEOUT_MS = 150_000

export class Cluster {
  readonly kubeconfig: string
  /** Base URL of the API server, and a PEM file with its authority. */
  readonly server: string
  readonly ca: string
  /** The `iss` of its tokens. */
  readonly issuer: string

  private constructor(kubeconfig: string, facts: Pick<Cluster, 'server' | 'ca' | 'issuer'>) {
    this.kubeconfig = kubeconfig
    this.server = facts.server
    this.ca = facts.ca
    this.issuer = facts.issuer
  }

  /** Finds out what the kubeconfig and the API server say. @throws Error when either says nothing */
  static async reach(kubeconfig: string): Promise<Cluster> {
    const view = await kubectl(kubeconfig, [
      'config',
      'view',
      '--raw',
      '--flatten',
      '--minify',
      '-o=json',
    ])
    const [{ cluster: entry }] = JSON.parse(view).clusters
    const folder = mkdtempSync(join(tmpdir(), 'countersign-test-'))
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
    const ca = join(folder, 'ca.crt')
    writeFileSync(ca, Buffer.from(entry['certificate-authority-data'], 'base64'))
    const discovery = await kubectl(kubeconfig, [
      'get',
      '--raw',
      '/.well-known/openid-configuration',
    ])
    return new Cluster(kubeconfig, {
      server: new URL(entry.server).origin,
      ca,
      issuer: JSON.parse(discovery).issuer,
    })
  }

  /** Runs kubectl and returns what it printed. @throws Error with what it complained of */
  kubectl(args: readonly string[], input?: string): Promise<string> {
    return kubectl(this.kubeconfig, args, input)
  }

  async create(...items: readonly Manifest[]): Promise<void> {
    const list = { apiVersion: 'v1', kind: 'List', items }
    await this.kubectl(['create', '-f', '-'], JSON.stringify(list))
  }

  /** An object as the API server has it, by `kind/name`. */
  async get(namespace: string, object: string): Promise<Stored> {
    return JSON.parse(await this.kubectl(['-n', namespace, 'get', object, '-o=json']))
  }

  /** The JWK Set that the cluster publishes. */
  keys(): Promise<string> {
    return this.kubectl(['get', '--raw', '/openid/v1/jwks'])
  }
}

function kubectl(kubeconfig: string, args: readonly string[], input = ''): Promise<string> {
  const env = { ...process.env, KUBECONFIG: kubeconfig }
  return new Promise((resolve, reject) => {
    const child = execFile('kubectl', args, { env, timeout: TIMEOUT_MS }, (error, out, err) => {
      if (error === null) resolve(out)
      // Never the arguments' values alone: what kubectl says is what helps.
      else reject(new Error(`kubectl ${args.join(' ')}: ${err.trim() || error.message}`))
    })
    child.stdin?.end(input)
  })
}
