/**
 * What may be asked about the state of a Kubernetes workload, beside what its token proves. The attestor reads it
 * from the API server (attestation.md §3.4); where it does not, all of it is unknown.
 */

import { type Attribute, always, maybe } from './attributes.ts'

/** Numbers of a version, so that policies compare numbers and not texts. */
function version(prefix: string, of: string): Readonly<Record<string, Attribute>> {
  return {
    [`${prefix}.major`]: maybe('C', 'Long', `Major version of ${of}.`),
    [`${prefix}.minor`]: maybe('C', 'Long', `Minor version of ${of}.`),
    [`${prefix}.patch`]: maybe('C', 'Long', `Patch version of ${of}.`),
  }
}

const POD: Readonly<Record<string, Attribute>> = {
  podLabels: maybe('D', 'Set<String>', 'Labels of the pod, as "app=batch".'),
  'pod.owner.kind': always('D', 'String', 'The kind of its controller, such as "ReplicaSet".'),
  'pod.owner.name': always('D', 'String', 'The name of its controller, as the pod says.'),
  'pod.hostNetwork': maybe('B', 'Bool', 'Whether it shares the network of its node.'),
  'pod.hostPid': maybe('B', 'Bool', 'Whether it sees the processes of its node.'),
  'pod.hostIpc': maybe('B', 'Bool', 'Whether it shares the IPC of its node.'),
  'pod.hostPath': maybe('B', 'Bool', 'Whether it mounts a path of its node.'),
  'pod.hostPorts': maybe('B', 'Bool', 'Whether some container takes a port of its node.'),
  'pod.userNamespace': maybe('B', 'Bool', 'Whether it has a user namespace of its own.'),
  'pod.privileged': maybe('B', 'Bool', 'Whether some container is privileged.'),
  'pod.privilegeEscalation': maybe('B', 'Bool', 'Whether some container may gain privileges.'),
  'pod.runAsNonRoot': maybe('B', 'Bool', 'Whether every container has to run as non-root.'),
  'pod.readOnlyRoot': maybe('B', 'Bool', 'Whether every root file system is read-only.'),
  'pod.capabilitiesAdded': maybe(
    'B',
    'Set<String>',
    'Capabilities that some container adds, as "NET_ADMIN"; "ALL" where one is privileged.',
  ),
  'pod.capabilitiesDropped': maybe(
    'B',
    'Set<String>',
    'Capabilities that every container drops, as "ALL".',
  ),
  'pod.seccompProfiles': maybe(
    'B',
    'Set<String>',
    'Seccomp profiles of its containers: "RuntimeDefault", "Localhost", "Unconfined" or "Unset".',
  ),
  'pod.debugged': maybe('B', 'Bool', 'Whether a debug container was added to it.'),
  'pod.runtimeClass': maybe('B', 'String', 'Its runtime class, such as "gvisor".'),
  'pod.restarts': maybe('C', 'Long', 'How often its containers restarted.'),
  'image.digestPinned': maybe('B', 'Bool', 'Whether the pod names every image by digest.'),
  'image.pinnedDigests': maybe(
    'B',
    'Set<String>',
    'Digests by which the pod names images, as "sha256:…".',
  ),
  'image.digests': maybe('C', 'Set<String>', 'Digests of the images, as the kubelet reports.'),
  'image.signature': maybe(
    'C',
    'String',
    'Of its images, the weakest: "verified", "unknown" or "failed". A pod that is pinned runs them for certain.',
  ),
  'image.signatureVerified': maybe(
    'C',
    'Bool',
    'Whether every image has a signature that counts; unknown until all have been looked at.',
  ),
}

const NAMESPACE: Readonly<Record<string, Attribute>> = {
  namespaceLabels: maybe('B', 'Set<String>', 'Labels of the namespace, as "team=payments".'),
  'podSecurity.enforce': maybe(
    'B',
    'String',
    'Pod Security level that the namespace enforces on new pods: "privileged", "baseline" or "restricted".',
  ),
  'podSecurity.version': maybe('B', 'String', 'The version of that level, as "latest" or "v1.34".'),
}

const NODE: Readonly<Record<string, Attribute>> = {
  nodeLabels: maybe(
    'C',
    'Set<String>',
    'Labels of the node but for the restricted ones; a kubelet sets most itself.',
  ),
  nodeRestrictedLabels: maybe(
    'B',
    'Set<String>',
    'Labels of the node under node-restriction.kubernetes.io/, which no kubelet can set.',
  ),
  'node.ready': maybe('C', 'Bool', 'Whether the node is ready.'),
  'node.cordoned': maybe('B', 'Bool', 'Whether the node takes no new pods (kubectl cordon).'),
  'node.taints': maybe(
    'B',
    'Set<String>',
    'Its taints, as "key=value:NoSchedule" or "key:NoExecute".',
  ),
  'node.providerId': maybe('C', 'String', 'Its machine, as "aws:///eu-west-1a/i-0123".'),
  'node.region': maybe('C', 'String', 'Its region, from topology.kubernetes.io/region.'),
  'node.zone': maybe('C', 'String', 'Its zone, from topology.kubernetes.io/zone.'),
  ...version('node.kubelet', 'the kubelet'),
  'node.kernel': maybe('C', 'String', 'Version of the kernel.'),
  ...version('node.kernelVersion', 'the kernel'),
  'node.runtime.name': maybe('C', 'String', 'The container runtime, as "containerd".'),
  ...version('node.runtime', 'the container runtime'),
  'node.os': maybe('C', 'String', '"linux" or "windows".'),
  'node.osImage': maybe('C', 'String', 'Name of the operating system.'),
  ...version('node.osVersion', 'the operating system, as far as its name has one'),
  'node.architecture': maybe('C', 'String', 'Such as "amd64".'),
}

const COPY: Readonly<Record<string, Attribute>> = {
  'posture.synced': maybe('B', 'Bool', 'Whether pods, nodes and namespaces are known and fresh.'),
  'posture.ageSeconds': maybe(
    'B',
    'Long',
    'Seconds since the API server was last heard for all three.',
  ),
}

/** Attributes of `ServiceAccount`. */
export const SERVICE_ACCOUNT_POSTURE: Readonly<Record<string, Attribute>> = {
  ...NAMESPACE,
  ...POD,
  ...NODE,
  ...COPY,
}
