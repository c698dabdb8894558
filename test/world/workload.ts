/** The objects behind the tokens of `FakeCluster`, as the API server has them: the planner’s pod, hardened, and its home. */

import { POD_UID } from './cluster.ts'

/** An object of the API that a test may change as it likes. */
// biome-ignore lint/suspicious/noExplicitAny: tests reach into it, right or wrong
export type Draft = any

export const NODE_UID = '83b135de-9349-4ede-87f6-0747326a151b'
export const ACCOUNT_UID = '74cfa759-eea1-4ce4-aa19-5d0ffdbfeffc'
export const DIGEST = `sha256:${'a'.repeat(64)}`

/** A pod that passes the Pod Security Standard "restricted", running. */
export function plannerPod(change: (pod: Draft) => void = () => {}): Draft {
  const pod = {
    metadata: {
      namespace: 'agents',
      name: 'planner-0',
      uid: POD_UID,
      labels: { app: 'planner' },
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Node', name: 'other', uid: 'x' },
        { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'planner', uid: 'y', controller: true },
      ],
    },
    spec: {
      serviceAccountName: 'planner',
      nodeName: 'node-1',
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [container('agent')],
      initContainers: [container('setup')],
      volumes: [{ name: 'token', projected: { sources: [] } }],
    },
    status: {
      phase: 'Running',
      containerStatuses: [reported('agent', 2)],
      initContainerStatuses: [reported('setup', 1)],
    },
  }
  change(pod)
  return pod
}

export function container(name: string): Draft {
  return {
    name,
    image: `registry.example.com/${name}@${DIGEST}`,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  }
}

function reported(name: string, restartCount: number) {
  return { name, restartCount, imageID: `registry.example.com/${name}@${DIGEST}` }
}

export function homeNode(change: (node: Draft) => void = () => {}): Draft {
  const node = {
    metadata: {
      name: 'node-1',
      uid: NODE_UID,
      labels: {
        'kubernetes.io/os': 'linux',
        'node-restriction.kubernetes.io/pool': 'vault',
        'topology.kubernetes.io/region': 'eu-west-1',
        'topology.kubernetes.io/zone': 'eu-west-1a',
      },
    },
    spec: {
      providerID: 'aws:///eu-west-1a/i-0123',
      taints: [
        { key: 'dedicated', value: 'agents', effect: 'NoSchedule' },
        { key: 'spot', effect: 'NoExecute' },
      ],
    },
    status: {
      conditions: [
        { type: 'MemoryPressure', status: 'False' },
        { type: 'Ready', status: 'True' },
      ],
      nodeInfo: {
        architecture: 'amd64',
        kubeletVersion: 'v1.34.2+k3s1',
        kernelVersion: '6.8.0-45-generic',
        osImage: 'Ubuntu 24.04.3 LTS',
        operatingSystem: 'linux',
        containerRuntimeVersion: 'containerd://2.1.4',
      },
    },
  }
  change(node)
  return node
}

export function agentsNamespace(change: (namespace: Draft) => void = () => {}): Draft {
  const namespace = {
    metadata: {
      name: 'agents',
      uid: 'namespace-uid',
      labels: {
        team: 'agents',
        'pod-security.kubernetes.io/enforce': 'restricted',
        'pod-security.kubernetes.io/enforce-version': 'v1.34',
      },
    },
  }
  change(namespace)
  return namespace
}

export function plannerAccount(change: (account: Draft) => void = () => {}): Draft {
  const account = { metadata: { namespace: 'agents', name: 'planner', uid: ACCOUNT_UID } }
  change(account)
  return account
}
