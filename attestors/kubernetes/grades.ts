/**
 * How far each fact that is read from the API server can be believed (attestation.md §3.4). The same names and
 * grades are attributes of `ServiceAccount` in `src/policy/principals.ts`; a test holds the two together.
 */

import type { Grade } from '../../src/identity.ts'

/**
 * B: only the control plane or an administrator writes it, or the API server enforces what it says.
 * C: the kubelet says so of its node. D: whoever may create the pod writes it, and nothing checks it.
 */
export const GRADES = {
  podLabels: 'D',
  'pod.owner.kind': 'D',
  'pod.owner.name': 'D',
  'pod.hostNetwork': 'B',
  'pod.hostPid': 'B',
  'pod.hostIpc': 'B',
  'pod.hostPath': 'B',
  'pod.hostPorts': 'B',
  'pod.userNamespace': 'B',
  'pod.privileged': 'B',
  'pod.privilegeEscalation': 'B',
  'pod.runAsNonRoot': 'B',
  'pod.readOnlyRoot': 'B',
  'pod.capabilitiesAdded': 'B',
  'pod.capabilitiesDropped': 'B',
  'pod.seccompProfiles': 'B',
  'pod.debugged': 'B',
  'pod.runtimeClass': 'B',
  'pod.restarts': 'C',
  'image.digestPinned': 'B',
  'image.pinnedDigests': 'B',
  'image.digests': 'C',
  namespaceLabels: 'B',
  'podSecurity.enforce': 'B',
  'podSecurity.version': 'B',
  nodeLabels: 'C',
  nodeRestrictedLabels: 'B',
  'node.ready': 'C',
  'node.cordoned': 'B',
  'node.taints': 'B',
  'node.providerId': 'C',
  'node.region': 'C',
  'node.zone': 'C',
  'node.kubelet.major': 'C',
  'node.kubelet.minor': 'C',
  'node.kubelet.patch': 'C',
  'node.kernel': 'C',
  'node.kernelVersion.major': 'C',
  'node.kernelVersion.minor': 'C',
  'node.kernelVersion.patch': 'C',
  'node.runtime.name': 'C',
  'node.runtime.major': 'C',
  'node.runtime.minor': 'C',
  'node.runtime.patch': 'C',
  'node.os': 'C',
  'node.osImage': 'C',
  'node.osVersion.major': 'C',
  'node.osVersion.minor': 'C',
  'node.osVersion.patch': 'C',
  'node.architecture': 'C',
} as const satisfies Readonly<Record<string, Grade>>

/** The name of a fact that a record may hold. */
export type FactName = keyof typeof GRADES
