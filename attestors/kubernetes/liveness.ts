/**
 * `liveness: watch`: whether the workload of a token still is what it was when the token was issued. It mirrors
 * what the API server asks of its own tokens (kube-apiserver pkg/serviceaccount/claims.go) and adds the
 * node, which KEP-4193 leaves to the pod collector. No I/O. No clock.
 */

import { type Detail, Refusal } from '../../src/refusal.ts'
import type { Named, Workload } from './profile.ts'
import type { Sighting } from './sighting.ts'
import type { ClusterView, Collection } from './view.ts'

/** What becomes of objects that are being deleted. */
export type Terminating = 'refuse' | 'allow'

/** How long after its deletion timestamp the API server itself still takes a pod's token, seconds. */
const LEEWAY_SECONDS = 60

/** The collections without which nothing can be said about a workload. */
export const VITAL: readonly Collection[] = ['pods', 'serviceaccounts', 'nodes']

/**
 * Refuses while the view cannot be believed: then nobody knows who is alive.
 * @throws Refusal `cluster_unreachable`
 */
export function requireFresh(view: ClusterView): void {
  const stale = VITAL.find((collection) => !view.fresh(collection))
  if (stale === undefined) return
  const { synced, ageSeconds, problem } = view.freshness(stale)
  throw new Refusal('cluster_unreachable', { collection: stale, synced, ageSeconds, problem })
}

/**
 * Compares a token with the cluster.
 * @throws Refusal `evidence_revoked`, whose detail says what is gone
 */
export function requireAlive(
  workload: Workload,
  found: Sighting,
  terminating: Terminating,
  nowSeconds: number,
): void {
  const deletedBefore =
    terminating === 'refuse' ? Number.POSITIVE_INFINITY : nowSeconds - LEEWAY_SECONDS
  const { namespace, serviceAccount, pod, node } = workload
  if (pod !== null) {
    requireObject(`pod ${namespace}/${pod.name}`, pod, found.pod, deletedBefore)
    requireRunning(workload, found)
  }
  const account = `service account ${namespace}/${serviceAccount.name}`
  requireObject(account, serviceAccount, found.serviceAccount, deletedBefore)
  const home = node ?? (found.pod?.node ? { name: found.pod.node, uid: null } : null)
  if (home !== null) requireObject(`node ${home.name}`, home, found.node, deletedBefore)
}

type Found = { readonly uid: string; readonly deletionAt: number | null } | undefined

/** @param expected the uid that the token names; null where it names none */
function requireObject(
  object: string,
  expected: Named | { readonly uid: null },
  found: Found,
  deletedBefore: number,
): void {
  if (found === undefined) throw gone({ object, problem: 'is gone' })
  const { uid, deletionAt } = found
  if (expected.uid !== null && uid !== expected.uid) {
    throw gone({ object, problem: 'was replaced', expected: expected.uid, found: uid })
  }
  if (deletionAt !== null && deletionAt < deletedBefore) {
    throw gone({ object, problem: 'is being deleted', deletionTimestamp: deletionAt })
  }
}

const OVER: readonly string[] = ['Succeeded', 'Failed']

function requireRunning({ namespace, serviceAccount, pod, node }: Workload, found: Sighting): void {
  const record = found.pod
  if (record === undefined || pod === null) return
  const object = `pod ${namespace}/${pod.name}`
  if (OVER.includes(record.phase)) {
    throw gone({ object, problem: 'has ended', found: record.phase })
  }
  if (record.serviceAccount !== serviceAccount.name) {
    const names = { expected: serviceAccount.name, found: record.serviceAccount }
    throw gone({ object, problem: 'runs as another service account', ...names })
  }
  // A pod without a node runs nothing that could hold a token.
  if (record.node === null || (node !== null && record.node !== node.name)) {
    const names = { expected: node?.name ?? 'a node', found: record.node }
    throw gone({ object, problem: 'is not on that node', ...names })
  }
}

function gone(detail: Detail): Refusal {
  return new Refusal('evidence_revoked', detail)
}
