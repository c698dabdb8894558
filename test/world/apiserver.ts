/**
 * The part of a kube-apiserver that a reflector speaks to: it pages lists of one version, watches from a version on,
 * sends bookmarks, forgets history, checks bearer tokens and permissions. Nothing in it happens by itself.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Certificate } from './certificate.ts'

/** An object of the API, as far as the server itself reads it. */
export type Stored = {
  readonly metadata: Readonly<Record<string, unknown>> & {
    readonly name: string
    readonly namespace?: string
  }
} & Readonly<Record<string, unknown>>

type Kind = 'pods' | 'nodes' | 'namespaces' | 'serviceaccounts'
type Entry = { readonly text: string; readonly metadataText: string }
type Change = Entry & {
  readonly type: string
  readonly collection: string
  readonly version: number
}
type Watch = {
  readonly collection: string
  readonly metadataOnly: boolean
  readonly response: ServerResponse
}

export const API_TOKEN = 'reader-token'
const SINGULAR = {
  pods: 'Pod',
  nodes: 'Node',
  namespaces: 'Namespace',
  serviceaccounts: 'ServiceAccount',
}
const PATH =
  /^\/api\/v1\/(?:namespaces\/(?<namespace>[^/]+)\/)?(?<collection>pods|nodes|namespaces|serviceaccounts)(?:\/(?<name>[^/]+))?$/

export class FakeApiServer {
  /** Method and URL of each request, oldest first. */
  readonly requests: string[] = []
  /** Bearer tokens that are let in. */
  readonly tokens = new Set([API_TOKEN])
  /** `list pods`, `watch nodes`: what is answered with 403. */
  readonly forbidden = new Set<string>()
  /** Whether a version that is forgotten is answered with status 410 or, as watches mostly are, with an ERROR event. */
  goneAs: 'status' | 'event' = 'event'
  /** Takes a request away from the server; returns whether it did. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean = () => false
  private readonly objects: Readonly<Record<Kind, Map<string, Entry>>> = {
    pods: new Map(),
    nodes: new Map(),
    namespaces: new Map(),
    serviceaccounts: new Map(),
  }
  private version = 100
  /** Versions up to this one are forgotten. */
  private compacted = 100
  private changes: Change[] = []
  private watches: Watch[] = []
  /** What is left of lists that were begun: continue token → version and the items to come. */
  private readonly begun = new Map<string, { version: number; rest: readonly Entry[] }>()
  private readonly server: Server
  private readonly scheme: string
  private readonly ca: string | null
  private readonly folder = mkdtempSync(join(tmpdir(), 'countersign-apiserver-'))

  constructor(tls: Certificate | null = null) {
    const serve = (request: IncomingMessage, response: ServerResponse) =>
      this.serve(request, response)
    this.server = tls === null ? createServer(serve) : createSecureServer(tls, serve)
    this.scheme = tls === null ? 'http' : 'https'
    this.ca = tls?.cert ?? null
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    return this
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
    rmSync(this.folder, { recursive: true })
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  get openWatches(): number {
    return this.watches.length
  }

  /** Writes a kubeconfig and returns its path. `change` sees it before. */
  kubeconfig(change: (config: KubeconfigDraft) => void = () => {}): string {
    const host = this.ca === null ? '127.0.0.1' : 'localhost'
    const trust =
      this.ca === null
        ? // The client library demands it for http.
          { 'insecure-skip-tls-verify': true }
        : { 'certificate-authority-data': Buffer.from(this.ca).toString('base64') }
    const config: KubeconfigDraft = {
      cluster: { server: `${this.scheme}://${host}:${this.port}`, ...trust },
      user: { token: API_TOKEN },
      current: 'fake',
    }
    change(config)
    const path = join(this.folder, 'kubeconfig')
    const document = {
      'current-context': config.current,
      contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'fake' } }],
      clusters: [{ name: 'fake', cluster: config.cluster }],
      users: [{ name: 'fake', user: config.user }],
    }
    writeFileSync(path, JSON.stringify(document))
    return path
  }

  /** Creates or changes an object. */
  put(collection: Kind, object: Stored): void {
    const key = keyOf(object.metadata.namespace, object.metadata.name)
    const type = this.objects[collection].has(key) ? 'MODIFIED' : 'ADDED'
    this.version += 1
    const entry = this.entry(collection, object)
    this.objects[collection].set(key, entry)
    this.tell({ type, collection, version: this.version, ...entry })
  }

  remove(collection: Kind, namespace: string | undefined, name: string): void {
    const key = keyOf(namespace, name)
    const entry = this.objects[collection].get(key)
    if (entry === undefined) throw new Error(`${collection} has no ${key}`)
    this.objects[collection].delete(key)
    this.version += 1
    const last = this.entry(collection, JSON.parse(entry.text))
    this.tell({ type: 'DELETED', collection, version: this.version, ...last })
  }

  /** Tells every watch how far it is. */
  bookmark(): void {
    const resourceVersion = String(this.version)
    for (const { collection, response } of this.watches) {
      const kind = SINGULAR[collection as Kind]
      const object = {
        kind,
        apiVersion: 'v1',
        metadata: { resourceVersion, creationTimestamp: null },
      }
      response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`)
    }
  }

  /** Forgets all changes and all lists that were begun. */
  compact(): void {
    this.version += 1
    this.compacted = this.version
    this.changes = []
    this.begun.clear()
  }

  /** Sends any text to every watch. */
  say(line: string): void {
    for (const { response } of this.watches) response.write(`${line}\n`)
  }

  /** Ends every watch: as its timeout does, or by breaking the connection; or keeps it open and forgets it. */
  endWatches(how: 'politely' | 'broken' | 'half-open'): void {
    for (const { response } of this.watches.splice(0)) {
      if (how === 'politely') response.end()
      else if (how === 'broken') response.destroy()
    }
  }

  private entry(collection: Kind, object: Stored): Entry {
    const metadata = { ...object.metadata, resourceVersion: String(this.version) }
    const head = { kind: SINGULAR[collection], apiVersion: 'v1' }
    const partial = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }
    return {
      text: JSON.stringify({ ...head, ...object, metadata }),
      metadataText: JSON.stringify(partial),
    }
  }

  private tell(change: Change): void {
    this.changes.push(change)
    // As etcd does sooner or later.
    if (this.changes.length > 10_000) {
      this.compacted = this.changes[4_999]?.version ?? this.compacted
      this.changes = this.changes.slice(5_000)
    }
    for (const watch of this.watches)
      if (watch.collection === change.collection) send(watch, change)
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${request.method} ${request.url}`)
    if (this.intercept(request, response)) return
    const url = new URL(request.url ?? '', 'http://fake')
    const { namespace, collection, name } = PATH.exec(url.pathname)?.groups ?? {}
    const verb = name !== undefined ? 'get' : url.searchParams.has('watch') ? 'watch' : 'list'
    const metadataOnly = request.headers.accept?.includes('as=PartialObjectMetadata') ?? false
    const [, token = ''] = request.headers.authorization?.split(' ') ?? []
    if (!this.tokens.has(token)) fail(response, 401, 'Unauthorized')
    else if (collection === undefined) fail(response, 404, 'NotFound')
    else if (this.forbidden.has(`${verb} ${collection}`)) fail(response, 403, 'Forbidden')
    else if (verb === 'watch') this.watch(url, { collection, metadataOnly, response })
    else if (verb === 'list') this.list(url, collection as Kind, metadataOnly, response)
    else this.get(collection as Kind, keyOf(namespace, name ?? ''), metadataOnly, response)
  }

  private get(kind: Kind, key: string, metadataOnly: boolean, response: ServerResponse): void {
    const entry = this.objects[kind].get(key)
    if (entry === undefined) fail(response, 404, 'NotFound')
    else answer(response, 200, metadataOnly ? entry.metadataText : entry.text)
  }

  private list(url: URL, kind: Kind, metadataOnly: boolean, response: ServerResponse): void {
    const token = url.searchParams.get('continue')
    const fresh = { version: this.version, rest: [...this.objects[kind].values()] }
    const from = token === null ? fresh : this.begun.get(token)
    if (from === undefined) {
      fail(response, 410, 'Expired')
      return
    }
    const limit = Number(url.searchParams.get('limit') ?? Infinity)
    const rest = from.rest.slice(limit)
    const metadata: Record<string, unknown> = { resourceVersion: String(from.version) }
    if (rest.length > 0) {
      metadata['continue'] = `token+${this.begun.size}/=`
      metadata['remainingItemCount'] = rest.length
      this.begun.set(`token+${this.begun.size}/=`, { version: from.version, rest })
    }
    const head = JSON.stringify({ kind: `${SINGULAR[kind]}List`, apiVersion: 'v1', metadata })
    const items = from.rest
      .slice(0, limit)
      .map((entry) => (metadataOnly ? entry.metadataText : entry.text))
    answer(response, 200, `${head.slice(0, -1)},"items":[${items.join(',')}]}\n`)
  }

  private watch(url: URL, watch: Watch): void {
    const { response, collection } = watch
    const from = Number(url.searchParams.get('resourceVersion'))
    if (from < this.compacted && this.goneAs === 'status') {
      fail(response, 410, 'Expired')
      return
    }
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    if (from < this.compacted) {
      response.end(`${JSON.stringify({ type: 'ERROR', object: status(410, 'Expired') })}\n`)
      return
    }
    for (const change of this.changes) {
      if (change.collection === collection && change.version > from) send(watch, change)
    }
    this.watches.push(watch)
    response.on('close', () => {
      this.watches = this.watches.filter((other) => other !== watch)
    })
  }
}

/** A kubeconfig with one cluster, one user and one context, all called `fake`. */
export type KubeconfigDraft = {
  cluster: Record<string, unknown>
  user: Record<string, unknown>
  current: string
}

function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}

function send({ metadataOnly, response }: Watch, { type, text, metadataText }: Change): void {
  response.write(`{"type":"${type}","object":${metadataOnly ? metadataText : text}}\n`)
}

function answer(response: ServerResponse, code: number, body: string): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(body)
}

function fail(response: ServerResponse, code: number, reason: string): void {
  answer(response, code, JSON.stringify(status(code, reason)))
}

function status(code: number, reason: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: reason }
}
