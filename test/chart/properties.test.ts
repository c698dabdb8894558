/** Each value turns on what it says, and no more. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import {
  deployment,
  find,
  names,
  podOf,
  type Rendered,
  render,
  settings,
  type Values,
  withoutHelm,
} from './helm.ts'

const skip = withoutHelm()

const POSTGRES = { database: { existingSecret: 'countersign-database' } }
const READERS = {
  metrics: { readers: ['monitoring/prometheus'], serviceMonitor: { enabled: true } },
}
const REMOTE = { kubernetes: { cluster: 'b', issuer: 'https://b.example' } }
const RESOURCE = { audience: 'https://mcp.example.com', scopes: ['trades:read'] }

type Row = readonly [name: string, values: Values, check: (objects: readonly Rendered[]) => void]

const PROPERTIES: readonly Row[] = [
  [
    'one replica on an embedded store is replaced, never doubled',
    {},
    (objects) => {
      const { replicas, strategy } = deployment(objects)['spec']
      assert.deepEqual([replicas, strategy], [1, { type: 'Recreate' }])
    },
  ],
  [
    'replicas on PostgreSQL roll without a gap',
    { ...POSTGRES, replicas: 3 },
    (objects) => {
      const { replicas, strategy, template } = deployment(objects)['spec']
      assert.equal(replicas, 3)
      assert.deepEqual(strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 })
      const [container] = template.spec.containers
      const url = container.env.find(({ name }: { name: string }) => name === 'DATABASE_URL')
      assert.deepEqual(url.valueFrom.secretKeyRef, {
        name: 'countersign-database',
        key: 'url',
      })
      assert.match(settings(objects), /postgres: \$\{env:DATABASE_URL\}/)
      assert.match(settings(objects), /linger: 5s/)
      assert.ok(!names(template.spec.volumes).includes('state'))
    },
  ],
  [
    'callers are asked for certificates, of the authorities that are named',
    { tls: { clientCertificates: 'request', clientCaConfigMap: 'clients' } },
    (objects) => {
      assert.match(settings(objects), /clientCertificates: request/)
      assert.match(settings(objects), /clientCa: \/etc\/countersign\/clients\/ca\.crt/)
      assert.ok(names(deployment(objects)['spec'].template.spec.volumes).includes('client-ca'))
    },
  ],
  [
    'an autoscaler owns the number of replicas',
    { ...POSTGRES, autoscaling: { enabled: true } },
    (objects) => {
      assert.equal('replicas' in deployment(objects)['spec'], false)
      assert.equal(find(objects, 'HorizontalPodAutoscaler')['spec'].minReplicas, 2)
    },
  ],
  [
    'watch: read access to four kinds, and nothing else',
    {},
    (objects) =>
      assert.deepEqual(find(objects, 'ClusterRole')['rules'], [
        {
          apiGroups: [''],
          resources: ['pods', 'nodes', 'namespaces', 'serviceaccounts'],
          verbs: ['get', 'list', 'watch'],
        },
      ]),
  ],
  [
    'tokenreview: reviews, and nothing else',
    { cluster: { liveness: 'tokenreview' } },
    (objects) =>
      assert.deepEqual(find(objects, 'ClusterRole')['rules'], [
        { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
      ]),
  ],
  [
    'tokenreview with posture: both',
    { cluster: { liveness: 'tokenreview', settings: { posture: true } } },
    (objects) => assert.equal(find(objects, 'ClusterRole')['rules'].length, 2),
  ],
  [
    'keys alone: a token to read them with, and no rule at all',
    { cluster: { liveness: 'jwks' } },
    (objects) => {
      assert.equal(
        objects.some(({ kind }) => /ClusterRole/.test(kind)),
        false,
      )
      assert.ok(names(podOf(deployment(objects)).volumes).includes('api'))
    },
  ],
  [
    'no cluster of its own: no token of it, no rule',
    {
      cluster: { enabled: false },
      probe: { enabled: false },
      config: { trust: [REMOTE], resources: [RESOURCE] },
    },
    (objects) => {
      assert.equal(
        objects.some(({ kind }) => /ClusterRole|Pod$/.test(kind)),
        false,
      )
      assert.ok(!names(podOf(deployment(objects)).volumes).includes('api'))
    },
  ],
  [
    'an entry in `config.trust` gets its rules as well',
    {
      cluster: { enabled: false },
      probe: { enabled: false },
      config: {
        trust: [
          { kubernetes: { cluster: 'here', api: { inCluster: true }, liveness: 'tokenreview' } },
        ],
        resources: [RESOURCE],
      },
    },
    (objects) => assert.deepEqual(find(objects, 'ClusterRole')['rules'][0].verbs, ['create']),
  ],
  [
    'nobody reads metrics: the admin port is not there',
    {},
    (objects) => {
      assert.deepEqual(names(podOf(deployment(objects)).containers[0].ports), ['public'])
      assert.equal(objects.filter(({ kind }) => kind === 'Service').length, 1)
      assert.doesNotMatch(settings(objects), /admin:/)
    },
  ],
  [
    'somebody reads metrics: over TLS, by name, with TokenReview',
    READERS,
    (objects) => {
      const { admin } = parse(settings(objects))
      assert.deepEqual(admin.auth.allow.metrics, ['system:serviceaccount:monitoring:prometheus'])
      assert.deepEqual(admin.auth.tokenreview, { inCluster: true })
      assert.ok(admin.tls.cert)
      assert.equal(find(objects, 'ClusterRole')['rules'].length, 2)
      const [endpoint] = find(objects, 'ServiceMonitor')['spec'].endpoints
      assert.equal(endpoint.scheme, 'https')
      assert.equal(endpoint.tlsConfig.ca.configMap.name, 'countersign-ca')
      const { labels } = find(objects, 'Service', '-admin')['metadata']
      for (const [name, value] of Object.entries<string>(
        find(objects, 'ServiceMonitor')['spec'].selector.matchLabels,
      )) {
        assert.equal(labels[name], value)
      }
    },
  ],
  [
    'a NetworkPolicy lets in to the public port, and out to DNS and the API server',
    { networkPolicy: { enabled: true } },
    (objects) => {
      const { ingress, egress, policyTypes } = find(objects, 'NetworkPolicy')['spec']
      assert.deepEqual(policyTypes, ['Ingress', 'Egress'])
      assert.deepEqual(ingress, [{ ports: [{ port: 'public', protocol: 'TCP' }] }])
      assert.deepEqual(
        egress.map((rule: { ports: { port: number }[] }) => rule.ports.map(({ port }) => port)),
        [
          [53, 53],
          [443, 6443],
        ],
      )
    },
  ],
  [
    'cert-manager: a Certificate for the issuer’s host, in the Secret that is mounted',
    {
      tls: {
        mode: 'certManager',
        certManager: { issuerRef: { name: 'ca' } },
        extraNames: ['b.example'],
      },
    },
    (objects) => {
      const { secretName, dnsNames } = find(objects, 'Certificate')['spec']
      assert.deepEqual(dnsNames, [
        'countersign.example.com',
        'countersign.identity.svc',
        'b.example',
      ])
      const tls = podOf(deployment(objects)).volumes.find(
        ({ name }: { name: string }) => name === 'tls',
      )
      assert.equal(tls.secret.secretName, secretName)
    },
  ],
  [
    'behind a TLS proxy: plain HTTP, no certificate',
    { tls: { mode: 'off' } },
    (objects) => {
      const [container] = podOf(deployment(objects)).containers
      assert.equal(container.readinessProbe.httpGet.scheme, 'HTTP')
      assert.equal(parse(settings(objects)).listen.tls, undefined)
      assert.equal(
        objects.some(({ kind, metadata }) => kind === 'Secret' && /tls/.test(metadata.name)),
        false,
      )
    },
  ],
  [
    'what encrypts or keeps signing keys survives an uninstall',
    { persistence: { enabled: true } },
    (objects) => {
      const kept = objects
        .filter(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'] === 'keep')
        .map(({ kind, metadata }) => `${kind}/${metadata.name}`)
      assert.deepEqual(kept.sort(), [
        'PersistentVolumeClaim/countersign-state',
        'Secret/countersign-keys',
      ])
    },
  ],
  [
    'policies from ConfigMaps and a volume are folders beside the chart’s own, whole, so that they reload',
    { policies: { configMaps: ['team-a'], existingClaim: 'policies' } },
    (objects) => {
      const mounts = podOf(deployment(objects)).containers[0].volumeMounts
      const paths = mounts
        .filter(({ mountPath }: { mountPath: string }) => mountPath.includes('/policies/'))
        .map((mount: Record<string, unknown>) => [mount['mountPath'], 'subPath' in mount])
      assert.deepEqual(paths, [
        ['/etc/countersign/policies/chart', false],
        ['/etc/countersign/policies/team-a', false],
        ['/etc/countersign/policies/volume', false],
      ])
    },
  ],
  [
    'a digest wins over a tag',
    { image: { repository: 'r.example/c', tag: '1', digest: `sha256:${'b'.repeat(64)}` } },
    (objects) =>
      assert.equal(
        podOf(deployment(objects)).containers[0].image,
        `r.example/c@sha256:${'b'.repeat(64)}`,
      ),
  ],
]

test('each value turns on what it says, and no more', { skip }, async (t) => {
  for (const [name, values, check] of PROPERTIES) {
    await t.test(name, async () => check(await render(values)))
  }
})

test('settings restart the pods, policies and certificates do not', { skip }, async () => {
  const annotations = async (values: Values) =>
    deployment(await render(values))['spec'].template.metadata.annotations
  const first = await annotations({})
  assert.deepEqual(await annotations({ policies: { inline: { 'a.cedar': '// a' } } }), first)
  assert.deepEqual(
    await annotations({}),
    first,
    'another certificate was made, and nothing restarts',
  )
  assert.notDeepEqual(await annotations({ config: { audit: { retention: '1d' } } }), first)
})

test('`config` is laid over the chart’s settings; trust and resources are added', {
  skip,
}, async () => {
  const { trust, resources, listen } = parse(
    settings(
      await render({
        config: { trust: [REMOTE], resources: [RESOURCE], listen: { bodyLimit: '32KiB' } },
      }),
    ),
  )
  assert.deepEqual(
    trust.map((entry: typeof REMOTE) => entry.kubernetes.cluster),
    ['in-cluster', 'b'],
  )
  assert.equal(resources.length, 2)
  assert.equal(listen.port, 8443)
  assert.equal(listen.bodyLimit, '32KiB')
})
