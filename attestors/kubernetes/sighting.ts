/**
 * The objects that a token names, as the cluster has them. A watch lags behind a new pod, so what is missing
 * is asked for once, by one direct request; what cannot be new is not asked for at all. No clock.
 */

import type { Workload } from './profile.ts'
import type { NodeRecord, PodRecord, ServiceAccountRecord } from './records.ts'
import type { ClusterView } from './view.ts'

/** What was found. A record may be of another object of the same name: compare the uid. */
export type Sighting = {
  readonly pod: PodRecord | undefined
  readonly serviceAccount: ServiceAccountRecord | undefined
  readonly node: NodeRecord | undefined
}

export const NOTHING_SEEN: Sighting = {
  pod: undefined,
  serviceAccount: undefined,
  node: undefined,
}

/** How far a watch may lag behind the API server, seconds. */
const LAG_SECONDS = 60

/**
 * Looks up what a token names. Never waits.
 * @param obtained what `obtain` found before: it counts where the view does not have that very object yet
 */
export function sight(view: ClusterView, workload: Workload, obtained = NOTHING_SEEN): Sighting {
  const { namespace, serviceAccount, pod } = workload
  const foundPod = pod && chosen(view.pod(namespace, pod.name), obtained.pod, pod.uid)
  const account = view.serviceAccount(namespace, serviceAccount.name)
  // Tokens name their node since Kubernetes 1.30; before, their pod does.
  const nodeName = workload.node?.name ?? foundPod?.node ?? null
  const node = nodeName === null ? undefined : view.node(nodeName)
  return {
    pod: foundPod ?? undefined,
    serviceAccount: chosen(account, obtained.serviceAccount, serviceAccount.uid),
    node: chosen(node, obtained.node, workload.node?.uid ?? obtained.node?.uid),
  }
}

/** The view's record, unless only the other one is the object that the token means. */
function chosen<T extends { readonly uid: string }>(
  seen: T | undefined,
  obtained: T | undefined,
  uid: string | undefined,
): T | undefined {
  if (seen === undefined || (seen.uid !== uid && obtained?.uid === uid)) return obtained
  return seen
}

/** Whether each object that the token names was found, as that very object. */
export function isComplete(workload: Workload, { pod, serviceAccount, node }: Sighting): boolean {
  return (
    (workload.pod === null || pod?.uid === workload.pod.uid) &&
    serviceAccount?.uid === workload.serviceAccount.uid &&
    (workload.node === null ? !pod?.node || node !== undefined : node?.uid === workload.node.uid)
  )
}

/**
 * Whether a token is so young that its objects may not have reached the view. Those of an older one are gone:
 * asking again at each use would let the holder of an old token drive requests to the API server.
 */
export function mayBeNew(view: ClusterView, issuedAt: number, nowSeconds: number): boolean {
  const ages = (['pods', 'serviceaccounts', 'nodes'] as const).map(
    (collection) => view.freshness(collection).ageSeconds ?? 0,
  )
  return issuedAt + LAG_SECONDS + Math.max(...ages) >= nowSeconds
}

/**
 * Asks the API server for what `sight` did not find.
 * @throws Refusal `cluster_unreachable`
 */
export async function obtain(
  view: ClusterView,
  workload: Workload,
  seen: Sighting,
): Promise<Sighting> {
  const { namespace, serviceAccount, pod, node } = workload
  const [foundPod, account] = await Promise.all([
    pod === null || seen.pod?.uid === pod.uid ? seen.pod : view.obtainPod(namespace, pod.name),
    seen.serviceAccount?.uid === serviceAccount.uid
      ? seen.serviceAccount
      : view.obtainServiceAccount(namespace, serviceAccount.name),
  ])
  const nodeName = node?.name ?? foundPod?.node ?? null
  const isKnown = seen.node !== undefined && (node === null || seen.node.uid === node.uid)
  const foundNode = nodeName === null || isKnown ? seen.node : await view.obtainNode(nodeName)
  return { pod: foundPod, serviceAccount: account, node: foundNode }
}
