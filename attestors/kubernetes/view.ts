/**
 * What is known of a cluster right now, beside the token: the contract between the reflector, which keeps
 * it, and the attestor, which reads it. Types only.
 */

import type { NamespaceRecord, NodeRecord, PodRecord, ServiceAccountRecord } from './records.ts'

/** The four collections that are kept, by their name in the API. */
export const COLLECTIONS = ['pods', 'nodes', 'namespaces', 'serviceaccounts'] as const
export type Collection = (typeof COLLECTIONS)[number]

/** How well a collection is known. */
export type Freshness = {
  /** Whether it has been read completely at least once. */
  readonly synced: boolean
  /**
   * Seconds since the API server last confirmed it (a complete list, a watch accepted, an event, a bookmark); null
   * before the first.
   */
  readonly ageSeconds: number | null
  readonly objects: number
  /** The last failure, or how many objects cannot be read, for the operator; null while all is well. */
  readonly problem: string | null
}

/** A live copy of a cluster's pods, nodes, namespaces and service accounts. Reads never wait. */
export interface ClusterView {
  /** Begins to list and watch. Resolves when every collection has synced once or has failed once; never rejects. */
  start(): Promise<void>
  /** Whether a collection can be believed: synced, and heard of within the limit. Without it, nothing below counts. */
  fresh(collection: Collection): boolean
  freshness(collection: Collection): Freshness
  pod(namespace: string, name: string): PodRecord | undefined
  node(name: string): NodeRecord | undefined
  namespace(name: string): NamespaceRecord | undefined
  serviceAccount(namespace: string, name: string): ServiceAccountRecord | undefined
  /**
   * Asks the API server for one object that is not here yet, because a watch lags behind a new pod. Concurrent
   * callers share one request; a bounded number may be under way.
   * @returns undefined when the API server says that there is none
   * @throws Refusal `cluster_unreachable`
   */
  obtainPod(namespace: string, name: string): Promise<PodRecord | undefined>
  obtainServiceAccount(namespace: string, name: string): Promise<ServiceAccountRecord | undefined>
  obtainNode(name: string): Promise<NodeRecord | undefined>
  close(): void
}
