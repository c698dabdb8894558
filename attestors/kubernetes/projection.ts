/**
 * From objects of the API to records. What does not have the shape of its kind becomes null, as if it were not
 * there: nothing that a policy could ask of it would be certain. Never throws. No I/O. No clock.
 */

import { isObject, type Json, type JsonObject } from '../../src/net/json.ts'
import {
  bounded,
  boundedSet,
  flag,
  labels,
  Misshapen,
  object,
  objects,
  requiredText,
  text,
  whole,
} from './fields.ts'
import type { FactName } from './grades.ts'
import { imagesOf, podImages, STATUSES } from './images.ts'
import { nodeFacts } from './nodes.ts'
import type {
  FoundFacts,
  NamespaceRecord,
  NodeRecord,
  PodRecord,
  RecordFacts,
  RecordValue,
  ServiceAccountRecord,
} from './records.ts'
import { securityOf } from './security.ts'

/** A pod of the API (core/v1), as a list or a watch event has it. */
export function projectPod(pod: Json | undefined): PodRecord | null {
  return reading(pod, (each) => {
    const spec = object(each, 'spec')
    // Without containers there is nothing of which a fact could be true.
    if (objects(spec, 'containers').length === 0) throw new Misshapen()
    return {
      ...namespaced(each),
      serviceAccount: requiredText(spec, 'serviceAccountName'),
      node: text(spec, 'nodeName') ?? null,
      phase: text(object(each, 'status'), 'phase') ?? 'Unknown',
      images: podImages(each),
      facts: known({
        podLabels: pairs(each),
        ...ownerOf(each),
        ...securityOf(spec),
        'pod.restarts': restartsOf(each),
        ...imagesOf(each),
      }),
    }
  })
}

/** A node of the API (core/v1). */
export function projectNode(node: Json | undefined): NodeRecord | null {
  return reading(node, (each) => ({ ...named(each), facts: known(nodeFacts(each)) }))
}

const LEVELS: readonly string[] = ['privileged', 'baseline', 'restricted']
const ENFORCE = 'pod-security.kubernetes.io/enforce'

/** A namespace (core/v1); its metadata is enough. */
export function projectNamespace(namespace: Json | undefined): NamespaceRecord | null {
  return reading(namespace, (each) => {
    const own = object(object(each, 'metadata'), 'labels')
    const level = text(own, ENFORCE)
    return {
      ...named(each),
      facts: known({
        namespaceLabels: pairs(each),
        'podSecurity.enforce': LEVELS.find((candidate) => candidate === level),
        'podSecurity.version': bounded(text(own, `${ENFORCE}-version`)),
      }),
    }
  })
}

/** A service account (core/v1); its metadata is enough. No policy asks about more than the token says. */
export function projectServiceAccount(account: Json | undefined): ServiceAccountRecord | null {
  return reading(account, (each) => ({ ...namespaced(each), facts: {} }))
}

function reading<T>(found: Json | undefined, project: (each: JsonObject) => T): T | null {
  if (!isObject(found)) return null
  try {
    return project(found)
  } catch (error) {
    if (error instanceof Misshapen) return null
    throw error
  }
}

function named(each: JsonObject) {
  const metadata = object(each, 'metadata')
  return {
    name: requiredText(metadata, 'name'),
    uid: requiredText(metadata, 'uid'),
    deletionAt: instant(text(metadata, 'deletionTimestamp')),
  }
}

function namespaced(each: JsonObject) {
  return { namespace: requiredText(object(each, 'metadata'), 'namespace'), ...named(each) }
}

function instant(written: string | undefined): number | null {
  if (written === undefined) return null
  const milliseconds = Date.parse(written)
  // Whoever deletes it did so, even if nobody can say until when.
  if (Number.isNaN(milliseconds)) throw new Misshapen()
  return Math.floor(milliseconds / 1000)
}

function pairs(each: JsonObject): readonly string[] | undefined {
  const found = labels(object(each, 'metadata'), 'labels')
  return boundedSet(found.map(([key, value]) => `${key}=${value}`))
}

/** The controller that the pod says it belongs to: a ReplicaSet, not the Deployment above it. */
function ownerOf(pod: JsonObject): FoundFacts {
  const owners = objects(object(pod, 'metadata'), 'ownerReferences')
  const controller = owners.find((owner) => flag(owner, 'controller') === true)
  if (controller === undefined) return {}
  // Whoever creates the pod writes this: odd values make the owner unknown, not the pod.
  const [kind, name] = [bounded(text(controller, 'kind')), bounded(text(controller, 'name'))]
  return kind === undefined || name === undefined
    ? {}
    : { 'pod.owner.kind': kind, 'pod.owner.name': name }
}

function restartsOf(pod: JsonObject): number | undefined {
  const status = object(pod, 'status')
  const reported = [STATUSES.containers, STATUSES.initContainers].flatMap((list) =>
    objects(status, list),
  )
  if (reported.length === 0) return undefined
  return reported.reduce((sum, each) => sum + (whole(each, 'restartCount') ?? 0), 0)
}

/** Leaves out what is unknown. */
function known(found: FoundFacts): RecordFacts {
  const facts: Partial<Record<FactName, RecordValue>> = {}
  for (const name of Object.keys(found) as FactName[]) {
    const value = found[name]
    if (value !== undefined) facts[name] = value
  }
  return facts
}
