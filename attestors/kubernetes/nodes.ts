/** What is known of a node: what the control plane decided about it, and what its kubelet says. No I/O. No clock. */

import type { JsonObject } from '../../src/net/json.ts'
import { bounded, boundedSet, flag, labels, object, objects, requiredText, text } from './fields.ts'
import type { FoundFacts } from './records.ts'
import { type Version, versionIn, versionOf } from './versions.ts'

/** The one prefix that a kubelet cannot set on its own node (admission plug-in NodeRestriction). */
const RESTRICTED = /^(?:[^/]+\.)?node-restriction\.kubernetes\.io\//

/** Facts about a node. @throws Misshapen */
export function nodeFacts(node: JsonObject): FoundFacts {
  const spec = object(node, 'spec')
  const status = object(node, 'status')
  const all = labels(object(node, 'metadata'), 'labels')
  const pairs = (restricted: boolean) =>
    all
      .filter(([key]) => RESTRICTED.test(key) === restricted)
      .map(([key, value]) => `${key}=${value}`)
  const label = (name: string) => bounded(all.find(([key]) => key === name)?.[1] || undefined)
  return {
    nodeLabels: boundedSet(pairs(false)),
    nodeRestrictedLabels: boundedSet(pairs(true)),
    'node.ready': isReady(status),
    'node.cordoned': flag(spec, 'unschedulable') === true,
    'node.taints': boundedSet(objects(spec, 'taints').map(taint)),
    'node.providerId': bounded(text(spec, 'providerID')),
    'node.region': label('topology.kubernetes.io/region'),
    'node.zone': label('topology.kubernetes.io/zone'),
    ...software(object(status, 'nodeInfo')),
  }
}

/** A node that the controller has lost sight of has the status Unknown, which is not ready. */
function isReady(status: JsonObject): boolean | undefined {
  const ready = objects(status, 'conditions').find((each) => text(each, 'type') === 'Ready')
  return ready === undefined ? undefined : text(ready, 'status') === 'True'
}

/** As kubectl writes it: `key=value:effect`, and `key:effect` where there is no value. */
function taint(each: JsonObject): string {
  const value = text(each, 'value')
  const key = requiredText(each, 'key')
  return `${value === undefined ? key : `${key}=${value}`}:${requiredText(each, 'effect')}`
}

function software(info: JsonObject): FoundFacts {
  const kernel = bounded(text(info, 'kernelVersion'))
  const osImage = bounded(text(info, 'osImage'))
  // containerd://2.1.4
  const [runtime, version] = bounded(text(info, 'containerRuntimeVersion'))?.split('://') ?? []
  return {
    ...numbered('node.kubelet', versionOf(text(info, 'kubeletVersion'))),
    'node.kernel': kernel,
    ...numbered('node.kernelVersion', versionOf(kernel)),
    'node.runtime.name': runtime || undefined,
    ...(runtime ? numbered('node.runtime', versionOf(version)) : {}),
    'node.os': bounded(text(info, 'operatingSystem')),
    'node.osImage': osImage,
    ...numbered('node.osVersion', versionIn(osImage)),
    'node.architecture': bounded(text(info, 'architecture')),
  }
}

type Versioned = 'node.kubelet' | 'node.kernelVersion' | 'node.runtime' | 'node.osVersion'

function numbered(prefix: Versioned, version: Version | undefined): FoundFacts {
  return {
    [`${prefix}.major`]: version?.major,
    [`${prefix}.minor`]: version?.minor,
    [`${prefix}.patch`]: version?.patch,
  }
}
