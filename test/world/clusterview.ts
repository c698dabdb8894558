/** A view of a cluster that a test fills by hand, with the real projections. What is `late` only a direct request finds. */

import {
  projectNamespace,
  projectNode,
  projectPod,
  projectServiceAccount,
} from '../../attestors/kubernetes/projection.ts'
import type {
  NamespaceRecord,
  NodeRecord,
  PodRecord,
  ServiceAccountRecord,
} from '../../attestors/kubernetes/records.ts'
import type { ClusterView, Collection, Freshness } from '../../attestors/kubernetes/view.ts'
import { Refusal } from '../../src/refusal.ts'
import { agentsNamespace, type Draft, homeNode, plannerAccount, plannerPod } from './workload.ts'

type Objects = { pod: Draft; node: Draft; namespace: Draft; account: Draft }

/** Holds at most one object of each kind: that of the planner. Null is none. */
export class MemoryView implements ClusterView {
  readonly objects: Objects = {
    pod: plannerPod(),
    node: homeNode(),
    namespace: agentsNamespace(),
    account: plannerAccount(),
  }
  /** What the API server has and the watch has not brought yet. */
  readonly late: Partial<Objects> = {}
  readonly stale = new Set<Collection>()
  ageSeconds: number | null = 7
  /** Whether direct requests fail. */
  down = false
  /** What was asked for directly, oldest first. */
  readonly obtained: string[] = []
  started = false
  closed = false

  async start(): Promise<void> {
    this.started = true
  }

  close(): void {
    this.closed = true
  }

  fresh(collection: Collection): boolean {
    return !this.stale.has(collection)
  }

  freshness(collection: Collection): Freshness {
    const synced = this.ageSeconds !== null
    const problem = this.stale.has(collection) ? 'it is silent' : null
    return { synced, ageSeconds: this.ageSeconds, objects: 1, problem }
  }

  pod(namespace: string, name: string): PodRecord | undefined {
    const record = projectPod(this.objects.pod)
    return record?.namespace === namespace && record.name === name ? record : undefined
  }

  node(name: string): NodeRecord | undefined {
    const record = projectNode(this.objects.node)
    return record?.name === name ? record : undefined
  }

  namespace(name: string): NamespaceRecord | undefined {
    const record = projectNamespace(this.objects.namespace)
    return record?.name === name ? record : undefined
  }

  serviceAccount(namespace: string, name: string): ServiceAccountRecord | undefined {
    const record = projectServiceAccount(this.objects.account)
    return record?.namespace === namespace && record.name === name ? record : undefined
  }

  async obtainPod(_namespace: string, name: string): Promise<PodRecord | undefined> {
    return this.obtain(`pod ${name}`, projectPod(this.late.pod ?? this.objects.pod))
  }

  async obtainNode(name: string): Promise<NodeRecord | undefined> {
    return this.obtain(`node ${name}`, projectNode(this.late.node ?? this.objects.node))
  }

  async obtainServiceAccount(
    _namespace: string,
    name: string,
  ): Promise<ServiceAccountRecord | undefined> {
    const account = this.late.account ?? this.objects.account
    return this.obtain(`account ${name}`, projectServiceAccount(account))
  }

  private obtain<T>(what: string, found: T | null): T | undefined {
    this.obtained.push(what)
    if (this.down) throw new Refusal('cluster_unreachable', { problem: 'no answer' })
    return found ?? undefined
  }
}
