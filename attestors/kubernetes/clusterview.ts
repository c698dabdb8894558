/** A cluster's four collections, each kept by a reflector of its own; and one request for what they do not have yet. */

import type { JsonObject } from '../../src/net/json.ts'
import type { Timers } from '../../src/net/timers.ts'
import { type Detail, printable, Refusal } from '../../src/refusal.ts'
import { type ClusterApi, ClusterApiError } from './api.ts'
import { type Identified, keyOf, keyOfObject, type Project } from './collection.ts'
import type { NamespaceRecord, NodeRecord, PodRecord, ServiceAccountRecord } from './records.ts'
import { Reflector } from './reflector.ts'
import { type ClusterView, COLLECTIONS, type Collection, type Freshness } from './view.ts'

/** The kind of record of each collection. */
export type RecordOf = {
  readonly pods: PodRecord
  readonly nodes: NodeRecord
  readonly namespaces: NamespaceRecord
  readonly serviceaccounts: ServiceAccountRecord
}

/** How objects of the API become records. They never throw; null is an object that cannot be read. */
export type Projections = { readonly [Name in Collection]: Project<RecordOf[Name]> }

export type ClusterViewOptions = {
  readonly api: ClusterApi
  readonly project: Projections
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly timers: Timers
  readonly warn: (detail: Detail, sentence: string) => void
  /** After how long without a word from the API server a collection is no longer believed. Default: 120. */
  readonly staleAfterSeconds?: number
  /** Limits of objects, where the default ones do not fit. */
  readonly maxObjects?: Partial<Readonly<Record<Collection, number>>>
}

/** Longer than a bookmark's minute with a reconnection after it. */
export const STALE_AFTER_SECONDS = 120

/** The limits that Kubernetes itself is tested to (150,000 pods, 5,000 nodes, 10,000 namespaces), with room. */
const MAX_OBJECTS = { pods: 200_000, nodes: 10_000, namespaces: 20_000, serviceaccounts: 200_000 }
const JSON_TYPE = 'application/json'
const WHOLE = { list: JSON_TYPE, one: JSON_TYPE }
/** Of these, only labels, uid and deletion count: the server leaves the rest out. */
const METADATA = {
  list: `${JSON_TYPE};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1`,
  one: `${JSON_TYPE};as=PartialObjectMetadata;g=meta.k8s.io;v=v1`,
}
const ACCEPT = { pods: WHOLE, nodes: WHOLE, namespaces: METADATA, serviceaccounts: METADATA }
/** Single objects asked for at once; further ones are refused, not queued behind a slow server. */
const MAX_UNDER_WAY = 32
const OBTAIN_MS = 5_000

/** Makes the view of one cluster. It does nothing until it is started, and shares nothing with other views. */
export function clusterView(options: ClusterViewOptions): ClusterView {
  return new ReflectedView(options)
}

class ReflectedView implements ClusterView {
  private readonly options: ClusterViewOptions
  private readonly kept: { readonly [Name in Collection]: Reflector<RecordOf[Name]> }
  private readonly underWay = new Map<string, Promise<JsonObject | null>>()

  constructor(options: ClusterViewOptions) {
    this.options = options
    const { project } = options
    this.kept = {
      pods: this.reflector('pods', project.pods),
      nodes: this.reflector('nodes', project.nodes),
      namespaces: this.reflector('namespaces', project.namespaces),
      serviceaccounts: this.reflector('serviceaccounts', project.serviceaccounts),
    }
  }

  async start(): Promise<void> {
    await Promise.all(COLLECTIONS.map((collection) => this.kept[collection].start()))
  }

  close(): void {
    for (const collection of COLLECTIONS) this.kept[collection].close()
  }

  fresh(collection: Collection): boolean {
    return this.kept[collection].fresh(this.options.staleAfterSeconds ?? STALE_AFTER_SECONDS)
  }

  freshness(collection: Collection): Freshness {
    return this.kept[collection].freshness()
  }

  pod(namespace: string, name: string): PodRecord | undefined {
    return this.kept.pods.get(keyOf(namespace, name))
  }

  node(name: string): NodeRecord | undefined {
    return this.kept.nodes.get(keyOf(null, name))
  }

  namespace(name: string): NamespaceRecord | undefined {
    return this.kept.namespaces.get(keyOf(null, name))
  }

  serviceAccount(namespace: string, name: string): ServiceAccountRecord | undefined {
    return this.kept.serviceaccounts.get(keyOf(namespace, name))
  }

  obtainPod(namespace: string, name: string): Promise<PodRecord | undefined> {
    return this.obtain('pods', this.options.project.pods, namespace, name)
  }

  obtainNode(name: string): Promise<NodeRecord | undefined> {
    return this.obtain('nodes', this.options.project.nodes, null, name)
  }

  obtainServiceAccount(namespace: string, name: string): Promise<ServiceAccountRecord | undefined> {
    return this.obtain('serviceaccounts', this.options.project.serviceaccounts, namespace, name)
  }

  private reflector<Item extends Identified>(collection: Collection, project: Project<Item>) {
    const { api, now, timers, warn, maxObjects = {} } = this.options
    return new Reflector({
      api,
      path: `/api/v1/${collection}`,
      accept: ACCEPT[collection],
      project,
      maxObjects: maxObjects[collection] ?? MAX_OBJECTS[collection],
      now,
      timers,
      warn: (problem) => warn({ collection, problem }, 'a collection of a cluster cannot be kept'),
    })
  }

  /** Nothing of it is kept: the watch brings the object, and an absence could end in the next moment. */
  private async obtain<Item extends Identified>(
    collection: Collection,
    project: Project<Item>,
    namespace: string | null,
    name: string,
  ): Promise<Item | undefined> {
    const object = await this.read(collection, namespace, name)
    if (object === null) return undefined
    const item = keyOfObject(object) === keyOf(namespace, name) ? project(object) : null
    if (item !== null) return item
    throw unreachable(collection, 'the object that came cannot be read')
  }

  private read(
    collection: Collection,
    namespace: string | null,
    name: string,
  ): Promise<JsonObject | null> {
    const within = namespace === null ? '' : `namespaces/${encodeURIComponent(namespace)}/`
    const path = `/api/v1/${within}${collection}/${encodeURIComponent(name)}`
    const shared = this.underWay.get(path)
    if (shared !== undefined) return shared
    if (this.underWay.size >= MAX_UNDER_WAY) {
      throw unreachable(collection, `${MAX_UNDER_WAY} objects are already asked for`)
    }
    const reading = this.request(collection, path).finally(() => this.underWay.delete(path))
    this.underWay.set(path, reading)
    return reading
  }

  private async request(collection: Collection, path: string): Promise<JsonObject | null> {
    const { api, timers } = this.options
    const { promise: late, reject } = Promise.withResolvers<never>()
    const cancel = timers.after(OBTAIN_MS, () => {
      reject(unreachable(collection, `no answer within ${OBTAIN_MS} ms`))
    })
    try {
      return await Promise.race([api.get(path, ACCEPT[collection].one), late])
    } catch (cause) {
      if (!(cause instanceof ClusterApiError)) throw cause
      if (cause.status === 404) return null
      throw unreachable(collection, cause.message, cause)
    } finally {
      cancel()
    }
  }
}

function unreachable(collection: Collection, problem: string, cause?: unknown): Refusal {
  return new Refusal('cluster_unreachable', { collection, problem: printable(problem) }, { cause })
}
