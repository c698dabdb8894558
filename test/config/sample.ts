/** A good configuration with every setting of this version, and how tests load and break it. */

import assert from 'node:assert/strict'
import { type Static, Type } from 'typebox'
import { kubernetes } from '../../attestors/kubernetes/index.ts'
import { type Loaded, type LoadOptions, loadConfig } from '../../src/config.ts'
import type { AttestorKind } from '../../src/identity.ts'
import { renderProblem } from '../../src/problem.ts'

/** Every setting of design.md that this version has. */
export const GOOD = `# Countersign
issuer: https://countersign.example.com
listen:
  host: 0.0.0.0
  port: 8443
  tls: { cert: tls/tls.crt, key: /run/tls/tls.key, clientCertificates: request, clientCa: tls/clients.pem }
  bodyLimit: 128KiB
  trustedProxies: [10.0.0.0/8, "fd00::/8"]
admin: { host: 127.0.0.1, port: 9443 }
store: { sqlite: /var/lib/countersign/state.db }
keys: { algorithm: ES256, rotateEvery: 30d, secret: "\${file:keys.secret}" }
audit: { file: /var/log/countersign/audit.jsonl, retention: 7d }
trust:
  - kubernetes:
      cluster: prod-eu
      issuer: https://k8s.eu.example.com
      environment: production
      audience: https://countersign.example.com
      jwks: { discovery: true }
      pin: when-offered
      liveness: jwks
  - kubernetes:
      cluster: prod-us
      issuer: https://k8s.us.example.com
      audience: https://countersign.example.com/k8s/prod-us
resources:
  - audience: https://mcp.example.com
    scopes: [trades:read, trades:write]
    maxTtl: 15m
    format: jwt
    groups: [trading]
    sender: bearer
    servedBy: ["k8s://prod-eu/ns/mcp/sa/server"]
    claims: { team: { fact: namespaceLabels.team, grade: B } }
policies:
  path: ./policies
  maxStale: 1d
  geo: { file: geo/country.mmdb, asn: /var/lib/geo/asn.mmdb }
  zones: [Europe/Berlin]
  calendars: { change-freeze: { dates: [2026-12-24..2027-01-02, 2026-05-01], zone: Europe/Berlin }, holidays-de: { file: ./holidays-de.ics } }
  groups: { payments-jobs: ['ServiceAccount::"prod-eu/payments/settlement"'] }
telemetry: { traces: { endpoint: http://collector:4318/v1/traces, ratio: 0.5 } }
users:
  - { name: corp, issuer: https://login.corp.example, accept: [id_token], audiences: [chat-app], groupsClaim: groups }
delegation: { maxDepth: 3, agents: ['ServiceAccount::"prod-eu/agents/planner"'] }
`

/** What the sample names as `holidays-de.ics`. */
const HOLIDAYS = `BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
SUMMARY:Neujahr
DTSTART;VALUE=DATE:20260101
RRULE:FREQ=YEARLY;COUNT=2
END:VEVENT
END:VCALENDAR
`

/** The least that starts. */
export const LEAST = `issuer: https://cs.example.com
trust: [{ kubernetes: { cluster: dev, issuer: https://k8s.example.com } }]
resources: [{ audience: https://mcp.example.com }]
policies: { path: policies }
`

const ShopSettings = Type.Object(
  {
    name: Type.String(),
    issuer: Type.String(),
    list: Type.Optional(Type.String({ format: 'path' })),
  },
  { additionalProperties: false },
)

/** A second kind, for what two kinds must not share. */
const shop: AttestorKind<Static<typeof ShopSettings>> = {
  kind: 'shop',
  schema: ShopSettings,
  name: ({ name }) => name,
  issuers: ({ issuer }) => [issuer],
  anchor: ({ name }) => ({ type: 'Shop', id: name }),
  check: ({ name }, report) => {
    if (name === 'closed') report(['name'], 'is closed')
  },
  create: () => assert.fail('the configuration creates no attestor'),
}

/** How `load` reads: a fixed environment, one secret file and two kinds. */
export const OPTIONS = {
  path: 'countersign.yaml',
  env: { LONG: 'l'.repeat(40), SHORT: 'hunter2' },
  baseDir: '/etc/countersign',
  readFile: (path) => {
    if (path === '/etc/countersign/holidays-de.ics') return HOLIDAYS
    if (path === '/etc/countersign/keys.secret') return `${'s'.repeat(32)}\n`
    throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
  },
  kinds: [kubernetes, shop],
} as const satisfies LoadOptions

/** Loads a configuration under `OPTIONS`. */
export function load(source: string | Uint8Array): Loaded {
  return loadConfig(source, OPTIONS)
}

/** The problems of a text, one line each. */
export function complaints(source: string | Uint8Array): readonly string[] {
  const loaded = load(source)
  return 'problems' in loaded ? loaded.problems.map(renderProblem) : []
}

/** Where `▸` stands in a text, and the text without it. */
export function marked(text: string): { readonly text: string; readonly at: string } {
  const before = text.slice(0, text.indexOf('▸')).split('\n')
  assert.equal(text.split('▸').length, 2, 'one mark')
  return {
    text: text.replace('▸', ''),
    at: `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`,
  }
}

/** Replaces one part of the good configuration; fails when it is not there exactly once. */
export function swap(part: string, by: string, text = GOOD): string {
  assert.equal(text.split(part).length, 2, `${part} stands once in the sample`)
  return text.replace(part, () => by)
}
