/** Objects of a busy cluster, as large as real ones: a pod of two containers is 8 to 10 kB, half of it `managedFields`. */

import type { Stored } from '../world/apiserver.ts'

const NAMESPACES = 50

export function namespaceName(index: number): string {
  return `team-${index % NAMESPACES}`
}

/** @param label the value of a label that changes with each version */
export function largePod(index: number, label: string): Stored {
  const app = `service-${index % 400}`
  return {
    metadata: {
      name: `${app}-7d9c8b6f5d-${String(index).padStart(5, '0')}`,
      generateName: `${app}-7d9c8b6f5d-`,
      namespace: namespaceName(index),
      uid: uid('a', index),
      creationTimestamp: '2026-11-01T08:00:00Z',
      labels: {
        'app.kubernetes.io/name': app,
        'app.kubernetes.io/part-of': 'platform',
        'pod-template-hash': '7d9c8b6f5d',
        version: label,
      },
      annotations: { 'prometheus.io/scrape': 'true', 'checksum/config': 'f'.repeat(64) },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: `${app}-7d9c8b6f5d`,
          uid: uid('b', index),
          controller: true,
        },
      ],
      managedFields: managedFields(),
    },
    spec: {
      serviceAccountName: app,
      nodeName: `node-${index % 500}`,
      containers: ['main', 'proxy'].map((name) => container(name, app)),
      initContainers: [container('init', app)],
      volumes: Array.from({ length: 4 }, (_, volume) => ({
        name: `volume-${volume}`,
        configMap: { name: `${app}-config-${volume}`, defaultMode: 420 },
      })),
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      tolerations: [
        {
          key: 'node.kubernetes.io/not-ready',
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 300,
        },
      ],
    },
    status: {
      phase: 'Running',
      podIP: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
      conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
        type,
        status: 'True',
        lastTransitionTime: '2026-11-01T08:00:05Z',
      })),
      containerStatuses: ['main', 'proxy'].map((name) => ({
        name,
        image: `registry.example/${app}/${name}:1.2.3`,
        imageID: `registry.example/${app}/${name}@sha256:${'a'.repeat(64)}`,
        containerID: `containerd://${'c'.repeat(64)}`,
        restartCount: index % 3,
        ready: true,
        state: { running: { startedAt: '2026-11-01T08:00:04Z' } },
      })),
    },
  }
}

export function largeNode(index: number): Stored {
  return {
    metadata: {
      name: `node-${index}`,
      uid: uid('d', index),
      labels: { 'topology.kubernetes.io/zone': `zone-${index % 3}`, 'kubernetes.io/arch': 'amd64' },
      managedFields: managedFields(),
    },
    spec: { providerID: `aws:///zone-${index % 3}/i-${index}` },
    status: {
      nodeInfo: {
        kubeletVersion: 'v1.34.1',
        kernelVersion: '6.8.0-1021-aws',
        osImage: 'Bottlerocket OS 1.48.0',
        containerRuntimeVersion: 'containerd://2.1.4',
        architecture: 'amd64',
      },
      conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: '2026-11-01T08:00:00Z' }],
      images: Array.from({ length: 50 }, (_, image) => ({
        names: [`registry.example/image-${image}@sha256:${'e'.repeat(64)}`],
        sizeBytes: 1_000_000 + image,
      })),
    },
  }
}

/** Any uid, the same for the same index. */
export function uid(kind: string, index: number): string {
  return `${kind.repeat(8)}-0000-4000-8000-${String(index).padStart(12, '0')}`
}

function container(name: string, app: string): object {
  return {
    name,
    image: `registry.example/${app}/${name}@sha256:${'a'.repeat(64)}`,
    env: Array.from({ length: 8 }, (_, index) => ({
      name: `SETTING_${index}`,
      value: `a value of setting ${index}`,
    })),
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
    volumeMounts: [{ name: 'volume-0', mountPath: '/etc/config', readOnly: true }],
    livenessProbe: { httpGet: { path: '/livez', port: 8080 }, periodSeconds: 10 },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  }
}

function managedFields(): readonly object[] {
  return ['kube-controller-manager', 'kubelet', 'operator'].map((manager) => ({
    manager,
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-11-01T08:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: Object.fromEntries(
      Array.from({ length: 18 }, (_, index) => [
        `k:{"name":"field-${index}"}`,
        { '.': {}, 'f:name': {}, 'f:value': {}, 'f:state': { 'f:running': {} } },
      ]),
    ),
  }))
}
