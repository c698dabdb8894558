// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the notation of the file
/** What a good configuration becomes. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { published } from '../../src/config/publish.ts'
import { type Config, loadConfig, policySettings } from '../../src/config.ts'
import { GOOD, LEAST, load, OPTIONS, swap } from './sample.ts'

function config(text: string): Config {
  const loaded = load(text)
  assert.ok('config' in loaded, 'it loads')
  assert.deepEqual(loaded.warnings, [])
  return loaded.config
}

test('the sample of design.md becomes a Config in seconds and absolute paths', () => {
  const { keys, ...rest } = config(GOOD)
  assert.equal(keys.algorithm, 'ES256')
  assert.equal(keys.rotateEverySeconds, 2_592_000)
  assert.equal(keys.secret?.reveal(), 's'.repeat(32))
  assert.deepEqual(rest, {
    issuer: 'https://countersign.example.com',
    listen: {
      host: '0.0.0.0',
      port: 8443,
      tls: { cert: '/etc/countersign/tls/tls.crt', key: '/run/tls/tls.key' },
      clientCertificates: { asked: true, ca: '/etc/countersign/tls/clients.pem' },
      bodyLimitBytes: 131_072,
      trustedProxies: ['10.0.0.0/8', 'fd00::/8'],
      clientCertHeader: 'bind',
      lingerSeconds: 0,
    },
    admin: { host: '127.0.0.1', port: 9443, tls: null, hosts: [], auth: null },
    store: { sqlite: '/var/lib/countersign/state.db' },
    audit: { file: '/var/log/countersign/audit.jsonl', retentionSeconds: 604_800 },
    users: [
      {
        name: 'corp',
        issuer: 'https://login.corp.example',
        accept: ['id_token'],
        audiences: ['chat-app'],
        groupsClaim: 'groups',
      },
    ],
    delegation: {
      maxDepth: 3,
      agents: [{ type: 'ServiceAccount', id: 'prod-eu/agents/planner' }],
    },
    chaining: [],
    transactions: null,
    telemetry: { traces: { endpoint: 'http://collector:4318/v1/traces', ratio: 0.5 } },
    trust: [
      {
        kind: 'kubernetes',
        trust: 'kubernetes:prod-eu',
        environment: 'production',
        audience: 'https://countersign.example.com',
        audiences: ['https://countersign.example.com'],
        pin: 'when-offered',
        issuers: ['https://k8s.eu.example.com'],
        anchor: { type: 'Cluster', id: 'prod-eu' },
        settings: {
          cluster: 'prod-eu',
          issuer: 'https://k8s.eu.example.com',
          jwks: { discovery: true },
          liveness: 'jwks',
        },
      },
      {
        kind: 'kubernetes',
        trust: 'kubernetes:prod-us',
        environment: null,
        audience: 'https://countersign.example.com/k8s/prod-us',
        audiences: ['https://countersign.example.com/k8s/prod-us'],
        pin: 'off',
        issuers: ['https://k8s.us.example.com'],
        anchor: { type: 'Cluster', id: 'prod-us' },
        settings: { cluster: 'prod-us', issuer: 'https://k8s.us.example.com' },
      },
    ],
    resources: [
      {
        audience: 'https://mcp.example.com',
        scopes: ['trades:read', 'trades:write'],
        groups: ['trading'],
        maxTtlSeconds: 900,
        format: 'jwt',
        sender: 'bearer',
        servedBy: ['k8s://prod-eu/ns/mcp/sa/server'],
        claims: { team: { fact: 'namespaceLabels.team', grade: 'B' } },
        from: {},
      },
    ],
    policies: {
      path: '/etc/countersign/policies',
      maxStaleSeconds: 86_400,
      geo: { file: '/etc/countersign/geo/country.mmdb', asn: '/var/lib/geo/asn.mmdb' },
      zones: ['Europe/Berlin'],
      calendars: [
        {
          name: 'change-freeze',
          zone: 'Europe/Berlin',
          ranges: [
            { from: '2026-12-24', to: '2027-01-02' },
            { from: '2026-05-01', to: '2026-05-01' },
          ],
        },
        {
          name: 'holidays-de',
          zone: 'Europe/Berlin',
          ranges: [
            { from: '2026-01-01', to: '2026-01-01' },
            { from: '2027-01-01', to: '2027-01-01' },
          ],
        },
      ],
      groups: [
        {
          name: 'payments-jobs',
          members: [{ type: 'ServiceAccount', id: 'prod-eu/payments/settlement' }],
        },
      ],
    },
  })
})

test('what is left out has the defaults of design.md', () => {
  const { trust, resources, policies, ...server } = config(LEAST)
  assert.deepEqual(server, {
    issuer: 'https://cs.example.com',
    listen: {
      host: '0.0.0.0',
      port: 8443,
      tls: null,
      clientCertificates: { asked: false, ca: null },
      bodyLimitBytes: 65_536,
      trustedProxies: [],
      clientCertHeader: 'bind',
      lingerSeconds: 0,
    },
    admin: { host: '127.0.0.1', port: 9443, tls: null, hosts: [], auth: null },
    store: { sqlite: '/var/lib/countersign/state.db' },
    keys: { algorithm: 'ES256', rotateEverySeconds: 2_592_000, secret: null },
    audit: { file: null, retentionSeconds: 604_800 },
    telemetry: { traces: null },
    users: [],
    delegation: { maxDepth: 4, agents: [] },
    chaining: [],
    transactions: null,
  })
  assert.equal(trust[0]?.audience, 'https://cs.example.com')
  assert.deepEqual(resources[0], {
    audience: 'https://mcp.example.com',
    scopes: [],
    groups: [],
    maxTtlSeconds: 900,
    format: 'jwt',
    sender: 'bearer',
    servedBy: [],
    claims: {},
    from: {},
  })
  assert.deepEqual(policies, {
    path: '/etc/countersign/policies',
    maxStaleSeconds: null,
    geo: null,
    zones: [],
    calendars: [],
    groups: [],
  })
})

test('policies are compiled with the audiences, anchors, calendars and groups of the Config', () => {
  const loaded = config(GOOD)
  assert.deepEqual(policySettings(loaded), {
    audiences: [
      {
        audience: 'https://mcp.example.com',
        scopes: ['trades:read', 'trades:write'],
        groups: ['trading'],
      },
    ],
    anchors: [
      {
        trust: 'kubernetes:prod-eu',
        entity: { type: 'Cluster', id: 'prod-eu' },
        environment: 'production',
      },
      {
        trust: 'kubernetes:prod-us',
        entity: { type: 'Cluster', id: 'prod-us' },
        environment: null,
      },
      { trust: 'users:corp', entity: { type: 'Users', id: 'corp' }, environment: null },
    ],
    zones: ['Europe/Berlin'],
    calendars: loaded.policies.calendars,
    groups: loaded.policies.groups,
  })
})

test('a Config is frozen to the bottom', () => {
  const parts: unknown[] = [config(GOOD)]
  for (const part of parts) {
    if (typeof part !== 'object' || part === null) continue
    assert.ok(Object.isFrozen(part))
    parts.push(...Object.values(part))
  }
  assert.ok(parts.length > 60)
})

test('a secret shows itself only to who asks for it', () => {
  const { keys } = config(swap('${file:keys.secret}', '${env:LONG}'))
  assert.equal(keys.secret?.reveal(), 'l'.repeat(40))
  for (const shown of [JSON.stringify(keys), inspect(keys), String(keys.secret)]) {
    assert.doesNotMatch(shown, /lll/)
  }
})

test('a secret written in the file is a warning', () => {
  const loaded = load(swap('${file:keys.secret}', 'x'.repeat(32)))
  assert.ok('config' in loaded)
  assert.deepEqual(loaded.warnings, [
    {
      path: 'countersign.yaml',
      line: 11,
      column: 53,
      severity: 'warning',
      message: 'keys.secret is written in the file itself; use ${file:PATH} or ${env:NAME}',
    },
  ])
})

for (const [what, part, by] of [
  ['IPv6 loopback for the admin listener', 'host: 127.0.0.1', 'host: "::1"'],
  ['localhost for the admin listener', 'host: 127.0.0.1', 'host: localhost'],
  ['a time zone that is a link', 'zones: [Europe/Berlin]', 'zones: [Asia/Kolkata]'],
  [
    'an audience that is a URN',
    '- audience: https://mcp.example.com',
    '- audience: urn:example:mcp',
  ],
  ['an audience of another scheme', '- audience: https://mcp.example.com', '- audience: api://mcp'],
  ['one address as a network', '10.0.0.0/8', '192.0.2.7/32'],
  ['any free port, twice', 'port: 8443', 'port: 0'],
  ['five minutes of farewell', 'bodyLimit: 128KiB', 'linger: 5m'],
] as const) {
  test(`${what} is accepted`, () => {
    config(swap(part, by))
  })
}

test('what the headers of trusted proxies are good for can be said', () => {
  const proxies = 'trustedProxies: [10.0.0.0/8, "fd00::/8"]'
  for (const wish of ['bind', 'identify', 'ignore'] as const) {
    const { listen } = config(swap(proxies, `${proxies}\n  clientCertHeader: ${wish}`))
    assert.equal(listen.clientCertHeader, wish)
  }
})

test('certificates are asked for by either setting', () => {
  const asked = (settings: string) => {
    const { listen } = config(
      swap('clientCertificates: request, clientCa: tls/clients.pem', settings),
    )
    return listen.clientCertificates
  }
  assert.deepEqual(asked('clientCertificates: request'), { asked: true, ca: null })
  assert.deepEqual(asked('clientCa: /ca.pem'), { asked: true, ca: '/ca.pem' })
  assert.deepEqual(asked('clientCertificates: off'), { asked: false, ca: null })
})

test('an admin listener beyond loopback, with callers known by token or by certificate', () => {
  const admin = (auth: string) =>
    config(
      swap(
        'admin: { host: 127.0.0.1, port: 9443 }',
        `admin: { host: 0.0.0.0, hosts: [Admin.svc], tls: { cert: c, key: k }, auth: { ${auth} } }`,
      ),
    ).admin
  const { by, allow } =
    admin(
      'allow: { metrics: [system:serviceaccount:monitoring:prometheus] }, tokenreview: { inCluster: true }',
    ).auth ?? assert.fail()
  assert.deepEqual(by, {
    kind: 'tokenreview',
    api: { inCluster: true },
    audience: 'https://countersign.example.com/admin',
  })
  assert.deepEqual(allow, {
    metrics: ['system:serviceaccount:monitoring:prometheus'],
    decisions: [],
  })
  const certified = admin('allow: { decisions: [URI:spiffe://example.org/x] }, clientCa: ca.pem')
  assert.deepEqual(certified.hosts, ['admin.svc'])
  assert.deepEqual(certified.tls, { cert: '/etc/countersign/c', key: '/etc/countersign/k' })
  assert.deepEqual(certified.auth?.by, { kind: 'clientCa', file: '/etc/countersign/ca.pem' })
})

test('an http issuer is accepted on loopback', () => {
  const text = LEAST.replace('https://cs.example.com', 'http://127.0.0.1:8443')
  assert.equal(config(`${text}listen: { host: 127.0.0.1 }`).issuer, 'http://127.0.0.1:8443')
})

test('kinds may share an audience, and entries of one kind an issuer', () => {
  const shared = swap('https://k8s.us.example.com', 'https://k8s.eu.example.com')
  const entry = '  - shop: { name: corner, issuer: https://shop.example.com, list: l.txt }\n'
  const { trust } = config(shared.replace('resources:', `${entry}resources:`))
  assert.deepEqual(
    trust.map((one) => [one.trust, one.issuers]),
    [
      ['kubernetes:prod-eu', ['https://k8s.eu.example.com']],
      ['kubernetes:prod-us', ['https://k8s.eu.example.com']],
      ['shop:corner', ['https://shop.example.com']],
    ],
  )
  assert.deepEqual(trust[2]?.settings, {
    name: 'corner',
    issuer: 'https://shop.example.com',
    list: '/etc/countersign/l.txt',
  })
})

test('without a list of kinds, all that there are may be named', () => {
  const { kinds: _, ...options } = OPTIONS
  assert.ok('config' in loadConfig(GOOD, options))
})

test('the published JSON Schema is up to date (npm run schema)', () => {
  for (const { file, text } of published()) assert.equal(readFileSync(file, 'utf8'), text)
})
