/**
 * In what state a workload runs: facts of its pod, node and namespace as the view has them. What is not known
 * for certain and now is left out, and no policy is satisfied by what is not there. No I/O. No clock.
 */

import type { Fact, Grade } from '../../src/identity.ts'
import { type FactName, GRADES } from './grades.ts'
import type { Workload } from './profile.ts'
import type { RecordFacts, RecordValue } from './records.ts'
import type { Sighting } from './sighting.ts'
import type { ClusterView, Collection } from './view.ts'

/** The collections that facts come from. */
const SOURCES = ['pods', 'nodes', 'namespaces'] as const satisfies readonly Collection[]

/** The facts about a workload that its token does not say. */
export function postureFacts(
  view: ClusterView,
  workload: Workload,
  found: Sighting,
  nowSeconds: number,
): Readonly<Record<string, Fact>> {
  const facts: Record<string, Fact> = {}
  const adding = (collection: Collection) => {
    const observedAt = Math.floor(nowSeconds - (view.freshness(collection).ageSeconds ?? 0))
    return (name: string, value: RecordValue, grade: Grade) => {
      facts[name] = { value, grade, source: `api:${collection}`, observedAt }
    }
  }
  const copy = (collection: Collection, known: RecordFacts | undefined) => {
    if (known === undefined || !view.fresh(collection)) return
    const add = adding(collection)
    for (const name of Object.keys(known) as FactName[]) {
      const value = known[name]
      if (value !== undefined) add(name, value, GRADES[name])
    }
  }
  const pod = found.pod?.uid === workload.pod?.uid ? found.pod : undefined
  const node = nodeOf(workload, found, pod?.node ?? null)
  copy('pods', pod?.facts)
  copy('nodes', node?.facts)
  copy('namespaces', view.namespace(workload.namespace)?.facts)
  // Before Kubernetes 1.30 the token does not say on which node it is.
  if (node !== undefined && workload.node === null && view.fresh('nodes')) {
    adding('nodes')('node.name', node.name, 'B')
    adding('nodes')('node.uid', node.uid, 'B')
  }
  const ages = SOURCES.map((collection) => view.freshness(collection).ageSeconds)
  const known = ages.filter((age) => age !== null)
  const own = { grade: 'B', source: 'api', observedAt: nowSeconds } as const
  facts['posture.synced'] = { ...own, value: SOURCES.every((source) => view.fresh(source)) }
  if (known.length === SOURCES.length) {
    facts['posture.ageSeconds'] = { ...own, value: Math.floor(Math.max(...known)) }
  }
  return facts
}

/** The node that both the token and the pod mean; nothing of a namesake. */
function nodeOf(
  workload: Workload,
  { node }: Sighting,
  nameInPod: string | null,
): Sighting['node'] {
  if (node === undefined) return undefined
  const isMeant = workload.node === null || workload.node.uid === node.uid
  const isHome = nameInPod === null ? workload.node !== null : nameInPod === node.name
  return isMeant && isHome ? node : undefined
}
