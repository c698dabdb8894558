/** Which clusters the suite runs against. Without one there is nothing to test, and the run fails at once. */

import { Cluster } from './kube.ts'

/** Ends the run with one sentence where a stack would hide the reason. */
function cannotRun(reason: string): never {
  process.stderr.write(`test:cluster: ${reason}\n`)
  process.exit(1)
}

async function reach(kubeconfig: string): Promise<Cluster> {
  try {
    return await Cluster.reach(kubeconfig)
  } catch (error) {
    return cannotRun(`the cluster of ${kubeconfig} does not answer: ${(error as Error).message}`)
  }
}

const { KUBECONFIG, COUNTERSIGN_SECOND_KUBECONFIG } = process.env

/** The cluster under test. Its administrator's kubeconfig is in `KUBECONFIG`. */
export const cluster = await reach(
  KUBECONFIG ||
    cannotRun(
      'KUBECONFIG is not set. This suite needs a real cluster with an administrator’s kubeconfig, and kubectl on PATH.',
    ),
)

/** A cluster that signs with the first one's `iss`, by `COUNTERSIGN_SECOND_KUBECONFIG`; null when there is none. */
export const second = COUNTERSIGN_SECOND_KUBECONFIG
  ? await reach(COUNTERSIGN_SECOND_KUBECONFIG)
  : null

/** An image whose entry point is `countersign`, on the first cluster's node; null when there is none. */
export const cliImage = process.env['COUNTERSIGN_CLI_IMAGE'] || null

/** An address of this host that pods of the first cluster reach as `host.internal`; null when not known. */
export const hostAddress = process.env['COUNTERSIGN_CLUSTER_HOST'] || null
