/** Values that helm refuses before anything is rendered or installed: misspelt ones, and ones that contradict each other. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusal, render, type Values, valuesOf, withoutHelm } from './helm.ts'

const skip = withoutHelm()

const MISSPELT: readonly (readonly [Values, RegExp])[] = [
  [{ isuer: 'x' }, /additional properties 'isuer' not allowed/],
  [{ replicas: 'two' }, /at '\/replicas': got string, want integer/],
  [{ replicas: 0 }, /at '\/replicas': minimum/],
  [{ tls: { mode: 'selfsigned' } }, /at '\/tls\/mode': value must be one of 'selfSigned'/],
  [{ tls: { secretName: 'x' } }, /at '\/tls': additional properties 'secretName'/],
  [{ image: { digest: 'sha256:abc' } }, /at '\/image\/digest'/],
  [{ image: { pullPolicy: 'ifnotpresent' } }, /at '\/image\/pullPolicy'/],
  [{ metrics: { readers: ['prometheus'] } }, /at '\/metrics\/readers\/0'/],
  [
    { policies: { inline: { 'a.rego': 'x' } } },
    /at '\/policies\/inline': additional properties 'a.rego'/,
  ],
  [{ cluster: { name: 'Prod_EU' } }, /at '\/cluster\/name'/],
  [{ cluster: { liveness: 'sometimes' } }, /at '\/cluster\/liveness'/],
  [
    { cluster: { settings: { maxLifetme: '1h' } } },
    /at '\/cluster\/settings': additional .*maxLifetme/,
  ],
  [{ cluster: { settings: { api: {} } } }, /at '\/cluster\/settings': additional properties 'api'/],
  // The configuration's own schema, below `config`.
  [{ config: { resorces: [] } }, /at '\/config': additional properties 'resorces'/],
  [
    { config: { resources: [{ audience: 'https://a.example', scope: ['x'] }] } },
    /at '\/config\/resources\/0': additional properties 'scope'/,
  ],
  [
    { config: { resources: [{ scopes: ['x'] }] } },
    /at '\/config\/resources\/0': missing property 'audience'/,
  ],
  [{ config: { keys: { rotateEvery: '30 days' } } }, /at '\/config\/keys\/rotateEvery'/],
  [{ config: { trust: [{ kubernetis: {} }] } }, /at '\/config\/trust\/0': additional .*kubernetis/],
  [{ config: { listen: { port: '8443' } } }, /at '\/config\/listen\/port': got string/],
  [
    { config: { policies: { zone: 'Europe/Berlin' } } },
    /at '\/config\/policies': additional .*'zone'/,
  ],
]

test('a misspelt value is refused by its path', { skip }, async () => {
  for (const [values, message] of MISSPELT) {
    assert.match(await refusal(valuesOf(values)), message, JSON.stringify(values))
  }
})

const POSTGRES = { database: { existingSecret: 'countersign-database' } }
const RESOURCE = { audience: 'https://mcp.example.com', scopes: ['trades:read'] }
const READERS = { metrics: { readers: ['monitoring/prometheus'] } }

/** Each row is right but for one thing; the last column is the sentence's beginning, with the path of the value. */
const CONTRADICTIONS: readonly (readonly [Values, string])[] = [
  [{ issuer: '' }, 'issuer: is required'],
  [
    { issuer: 'http://countersign.example.com' },
    'issuer: is http://countersign.example.com, but must begin with https://',
  ],
  [
    { issuer: 'https://countersign.example.com/' },
    'issuer: is https://countersign.example.com/, but must have no query',
  ],
  [
    { replicas: 3 },
    'replicas: is 3, but replicas share their state in PostgreSQL: set database.existingSecret',
  ],
  [
    { autoscaling: { enabled: true } },
    'autoscaling.enabled: replicas share their state in PostgreSQL',
  ],
  [
    { ...POSTGRES, autoscaling: { enabled: true, minReplicas: 9 } },
    'autoscaling.minReplicas: is 9, more than autoscaling.maxReplicas (6)',
  ],
  [
    { podDisruptionBudget: { enabled: true } },
    'podDisruptionBudget.enabled: protects nothing with one replica',
  ],
  [
    { ...POSTGRES, persistence: { enabled: true } },
    'persistence.enabled: is for the embedded store',
  ],
  [{ persistence: { existingClaim: 'state' } }, 'persistence.existingClaim: is not used while'],
  [
    { tls: { mode: 'existingSecret' } },
    'tls.existingSecret: is required by tls.mode existingSecret',
  ],
  [{ tls: { existingSecret: 'mine' } }, 'tls.existingSecret: is not used with tls.mode selfSigned'],
  [{ tls: { mode: 'certManager' } }, 'tls.certManager.issuerRef.name: is required'],
  [
    { tls: { certManager: { issuerRef: { name: 'x' } } } },
    'tls.certManager.issuerRef.name: is not used with tls.mode selfSigned',
  ],
  [{ tls: { caConfigMap: 'x' } }, 'tls.caConfigMap: is written by the chart'],
  [
    { tls: { mode: 'off', clientCertificates: 'request' } },
    'tls.clientCertificates: is shown in TLS connections: tls.mode is off',
  ],
  [
    { tls: { clientCaConfigMap: 'clients' } },
    'tls.clientCaConfigMap: is not used without tls.clientCertificates: request',
  ],
  [
    { tls: { mode: 'off', extraNames: ['x.example'] } },
    'tls.extraNames: has no effect with tls.mode off',
  ],
  [{ tls: { mode: 'off' }, ...READERS }, 'metrics.readers: need TLS'],
  [
    { cluster: { enabled: false }, probe: { enabled: false }, config: { resources: [RESOURCE] } },
    'cluster.enabled: is false and config.trust is empty',
  ],
  [
    {
      cluster: { enabled: false },
      config: { trust: [{ kubernetes: { cluster: 'b', issuer: 'https://b' } }] },
    },
    'probe.enabled: the probers of helm test are workloads of this cluster',
  ],
  [{ probe: { enabled: false } }, 'config.resources: is empty and probe.enabled is false'],
  [
    { config: { trust: [{ kubernetes: { cluster: 'in-cluster', issuer: 'https://b' } }] } },
    'config.trust[0].kubernetes.cluster: is in-cluster, as cluster.name is',
  ],
  [
    { config: { resources: [RESOURCE, { audience: 'https://countersign.example.com/probe' }] } },
    'config.resources[1].audience: is that of the probe',
  ],
  [
    { config: { issuer: 'https://b.example' } },
    'config.issuer: is written by the chart; set issuer',
  ],
  [
    { config: { store: { sqlite: '/x' } } },
    'config.store.sqlite: is written by the chart; set persistence.enabled',
  ],
  [
    { config: { store: { postgres: 'postgres://x' } } },
    'config.store.postgres: is written by the chart; set database.existingSecret',
  ],
  [
    { config: { store: { connections: 8 } } },
    'config.store: has settings for PostgreSQL, and there is no database.existingSecret',
  ],
  [
    { database: { caConfigMap: 'ca' } },
    'database.caConfigMap: is not used without database.existingSecret',
  ],
  [
    { config: { listen: { tls: { cert: 'a', key: 'b' } } } },
    'config.listen.tls: is written by the chart; set tls.mode',
  ],
  [
    { config: { keys: { secret: 'x' } } },
    'config.keys.secret: is written by the chart; set keys.existingSecret',
  ],
  [
    { config: { policies: { path: '/x' } } },
    'config.policies.path: is written by the chart; set policies.inline',
  ],
  [
    { policies: { configMaps: ['chart'] } },
    'policies.configMaps: chart is a folder of the chart’s own'.replace('’', "'"),
  ],
  [
    { policies: { inline: { 'deny-all.cedar': '' } } },
    'policies.inline: deny-all.cedar is a file of',
  ],
  [
    { metrics: { serviceMonitor: { enabled: true } } },
    'metrics.serviceMonitor.enabled: /metrics answers only',
  ],
  [
    { ...POSTGRES, networkPolicy: { enabled: true } },
    'networkPolicy.egress: must let PostgreSQL through',
  ],
  [
    { ...READERS, networkPolicy: { enabled: true } },
    'networkPolicy.metricsFrom: must let metrics.readers through',
  ],
  [
    { networkPolicy: { metricsFrom: [{ podSelector: {} }] } },
    'networkPolicy.metricsFrom: the admin port is not exposed',
  ],
  [
    { terminationGracePeriodSeconds: 27, lingerSeconds: 5 },
    'terminationGracePeriodSeconds: is 27, less than lingerSeconds (5)',
  ],
]

test('values that contradict each other are refused by their paths', { skip }, async () => {
  for (const [values, sentence] of CONTRADICTIONS) {
    const said = await refusal(valuesOf(values))
    const lines = said.split('\n').filter((line) => /^[a-z][\w.[\]]*: /i.test(line))
    assert.ok(
      lines.some((line) => line.startsWith(sentence)),
      `${sentence}\n${said}`,
    )
  }
})

test('every contradiction is shown at once', { skip }, async () => {
  const said = await refusal({ replicas: 2, tls: { mode: 'existingSecret' } })
  for (const path of ['issuer', 'replicas', 'tls.existingSecret']) {
    assert.match(said, new RegExp(`^${path}: `, 'm'))
  }
})

test('what the contradictions ask for is taken', { skip }, async () => {
  for (const values of [
    { ...POSTGRES, replicas: 3, podDisruptionBudget: { enabled: true } },
    { ...POSTGRES, autoscaling: { enabled: true } },
    { tls: { mode: 'certManager', certManager: { issuerRef: { name: 'x' } } } },
    { ...READERS, networkPolicy: { enabled: true, metricsFrom: [{ podSelector: {} }] } },
  ]) {
    assert.ok((await render(values)).length > 0)
  }
})
