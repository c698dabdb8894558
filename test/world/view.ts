/** A fake API server, the objects in it, and a view of it; closed when the test ends. */

import type { TestContext } from 'node:test'
import { clusterApi } from '../../attestors/kubernetes/client.ts'
import { type ClusterViewOptions, clusterView } from '../../attestors/kubernetes/clusterview.ts'
import type { ApiSettings } from '../../attestors/kubernetes/credentials.ts'
import {
  projectNamespace,
  projectNode,
  projectPod,
  projectServiceAccount,
} from '../../attestors/kubernetes/projection.ts'
import { COLLECTIONS, type Collection } from '../../attestors/kubernetes/view.ts'
import { createDoor } from '../../src/net/fetch.ts'
import { FakeApiServer, type Stored } from './apiserver.ts'
import { TestClock } from './clock.ts'

export const PROJECTIONS = {
  pods: projectPod,
  nodes: projectNode,
  namespaces: projectNamespace,
  serviceaccounts: projectServiceAccount,
}

/** How long a watch may be silent. */
const SILENCE_SECONDS = 90

/** A pod that runs. */
export function pod(name: string, uid: string, change: object = {}): Stored {
  return {
    metadata: { namespace: 'agents', name, uid },
    spec: { serviceAccountName: 'planner', nodeName: 'node-1', containers: [{ name: 'main' }] },
    status: { phase: 'Running' },
    ...change,
  }
}

export function node(name: string, uid: string): Stored {
  return { metadata: { name, uid }, spec: {}, status: {} }
}

/** Waits, turn by turn and without a clock, for what I/O will bring. @throws Error when it does not come */
export async function until(what: string, condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 20_000; turn += 1) {
    if (condition()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error(`it did not come to pass: ${what}`)
}

/** A server with one pod, node, namespace and service account. */
export async function startServer(t: TestContext): Promise<FakeApiServer> {
  const server = await new FakeApiServer().listen()
  t.after(() => server.close())
  server.put('pods', pod('planner-0', 'pod-uid-1'))
  server.put('nodes', node('node-1', 'node-uid-1'))
  server.put('namespaces', { metadata: { name: 'agents', uid: 'namespace-uid-1' } })
  server.put('serviceaccounts', {
    metadata: { namespace: 'agents', name: 'planner', uid: 'account-uid-1' },
  })
  return server
}

/** A view of a cluster, not started. */
export function openView(
  t: TestContext,
  settings: ApiSettings,
  clock: TestClock,
  options: Partial<ClusterViewOptions> = {},
) {
  const warnings: string[] = []
  const { timers, now } = clock
  const api = clusterApi(settings, { door: createDoor({ timers }), timers, now })
  const view = clusterView({
    api,
    project: PROJECTIONS,
    now,
    timers,
    warn: ({ collection, problem }) => warnings.push(`${collection}: ${problem}`),
    ...options,
  })
  t.after(() => view.close())
  return { api, view, warnings }
}

/** A server and a view of it that has synced and watches. */
export async function setStage(t: TestContext, options: Partial<ClusterViewOptions> = {}) {
  const server = await startServer(t)
  const clock = new TestClock()
  const stage = openView(t, { kubeconfig: server.kubeconfig() }, clock, options)
  await stage.view.start()
  await until('four watches', () => waiting(clock, SILENCE_SECONDS))
  const fresh = (collection: Collection = 'pods') => stage.view.fresh(collection)
  return { server, clock, fresh, ...stage }
}

/** Whether every collection waits for nothing but these seconds to pass. */
export function waiting(clock: TestClock, seconds: number): boolean {
  const pending = clock.pending()
  return pending.length === COLLECTIONS.length && pending.every((each) => each === seconds)
}
