/** What holds of everything that the chart renders, whatever the values are. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config.ts'
import {
  CHART,
  helm,
  names,
  pods,
  type Rendered,
  render,
  settings,
  type Values,
  valuesOf,
  withoutHelm,
} from './helm.ts'

const skip = withoutHelm()

const POSTGRES = { database: { existingSecret: 'countersign-database' } }
const READERS = {
  metrics: { readers: ['monitoring/prometheus'], serviceMonitor: { enabled: true } },
}
const REMOTE = { kubernetes: { cluster: 'b', issuer: 'https://b.example' } }
const RESOURCE = { audience: 'https://mcp.example.com', scopes: ['trades:read'] }

/** One of each choice, and everything at once. */
const MATRIX: Readonly<Record<string, Values>> = {
  'only an issuer': {},
  'an issuer with port and path': { issuer: 'https://countersign.example.com:8443/eu' },
  'own certificate': { tls: { mode: 'existingSecret', existingSecret: 'mine' } },
  'cert-manager': { tls: { mode: 'certManager', certManager: { issuerRef: { name: 'ca' } } } },
  'client certificates': { tls: { clientCertificates: 'request' } },
  'client certificates of some authorities': {
    tls: { clientCertificates: 'request', clientCaConfigMap: 'clients' },
  },
  'behind a TLS proxy': { tls: { mode: 'off' } },
  'a volume': { persistence: { enabled: true, storageClass: 'fast' } },
  'PostgreSQL, three replicas': {
    ...POSTGRES,
    replicas: 3,
    podDisruptionBudget: { enabled: true },
  },
  autoscaled: {
    ...POSTGRES,
    autoscaling: { enabled: true },
    podDisruptionBudget: { enabled: true },
  },
  'keys alone': { cluster: { liveness: 'jwks' } },
  'no cluster of its own': {
    cluster: { enabled: false },
    probe: { enabled: false },
    config: { trust: [REMOTE], resources: [RESOURCE] },
  },
  scraped: {
    ...READERS,
    networkPolicy: { enabled: true, metricsFrom: [{ podSelector: {} }] },
  },
  everything: {
    database: { existingSecret: 'countersign-database', caConfigMap: 'database-ca' },
    replicas: 2,
    image: { repository: 'registry.example.com/countersign', digest: `sha256:${'a'.repeat(64)}` },
    imagePullSecrets: [{ name: 'pull' }],
    policies: {
      inline: { 'mine.cedar': '// mine\n' },
      configMaps: ['team-a', 'team-b'],
      existingClaim: 'policies',
    },
    config: {
      trust: [REMOTE],
      resources: [RESOURCE],
      audit: { retention: '30d' },
      store: { connections: 8 },
    },
    networkPolicy: {
      enabled: true,
      metricsFrom: [{ podSelector: {} }],
      egress: [{ ports: [{ port: 5432 }] }],
    },
    podDisruptionBudget: { enabled: true },
    metrics: {
      readers: ['monitoring/prometheus'],
      decisionReaders: ['security/console'],
      serviceMonitor: { enabled: true },
      prometheusRule: { enabled: true },
      dashboard: { enabled: true },
    },
    podAnnotations: { a: 'b' },
    podLabels: { c: 'd' },
    nodeSelector: { e: 'f' },
    tolerations: [{ operator: 'Exists' }],
    priorityClassName: 'system-cluster-critical',
    extraEnv: [{ name: 'TZ', value: 'UTC' }],
    extraVolumes: [{ name: 'geo', configMap: { name: 'geo' } }],
    extraVolumeMounts: [{ name: 'geo', mountPath: '/geo' }],
  },
}

let rendered: Promise<readonly (readonly [string, readonly Rendered[]])[]> | undefined

/** The whole matrix, once. */
function renderAll() {
  rendered ??= Promise.all(
    Object.entries(MATRIX).map(async ([name, values]) => [name, await render(values)] as const),
  )
  return rendered
}

test('lint finds nothing', { skip }, async () => {
  const { code, out } = await helm(['lint', '--strict', '--quiet', CHART], valuesOf())
  assert.equal(code, 0, out)
})

test('whatever the values: hardened pods, every mount has its volume, no name twice', {
  skip,
}, async (t) => {
  for (const [name, objects] of await renderAll()) {
    const ids = objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`)
    assert.deepEqual(ids, [...new Set(ids)], name)
    for (const pod of pods(objects)) {
      const [container] = pod.containers
      assert.equal(pod.automountServiceAccountToken, false, name)
      assert.deepEqual(pod.securityContext, {
        runAsNonRoot: true,
        runAsUser: 65532,
        runAsGroup: 65532,
        fsGroup: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      })
      assert.deepEqual(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      assert.ok(container.resources.requests.memory && container.resources.limits.memory, name)
      assert.equal('command' in container, false)
      const mounted = new Set(names(container.volumeMounts))
      assert.deepEqual(mounted, new Set(names(pod.volumes)), name)
    }
  }
  t.diagnostic(`${Object.keys(MATRIX).length} sets of values`)
})

test('whatever the values: the broker itself takes the settings that are written', {
  skip,
}, async () => {
  for (const [name, objects] of await renderAll()) {
    const loaded = loadConfig(settings(objects), {
      path: 'countersign.yaml',
      env: { DATABASE_URL: 'postgres://countersign:secret@db.example/countersign' },
      readFile: () => 'a-secret-of-at-least-thirty-two-characters',
      baseDir: '/etc/countersign',
    })
    const problems = 'problems' in loaded ? loaded.problems : loaded.warnings
    assert.deepEqual(problems, [], name)
  }
})
