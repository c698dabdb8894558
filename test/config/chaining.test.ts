/** `chaining`, `transactions` and the clients of `users`: what is read, and what is wrong at which token. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policySettings } from '../../src/config.ts'
import { complaints, LEAST, load, marked } from './sample.ts'

const GOOD = `${LEAST}users: [{ name: corp, issuer: https://login.example, accept: [id-jag], audiences: [a], clients: { app: k8s://dev/ns/a/sa/b } }]
chaining:
  - issuer: https://as.partner.example
    clients: { k8s://dev/ns/a/sa/b: b-there }
    resources:
      - { audience: https://api.partner.example, scopes: [orders:read], maxTtl: 2m }
transactions: { trustDomain: prod.example, scopes: [trade.read], servedBy: [k8s://dev/ns/a/sa/b] }
`

test('what is for others takes part in the policy model, under audiences of its own', () => {
  const loaded = load(GOOD)
  assert.ok('config' in loaded, JSON.stringify(loaded))
  const [partner] = loaded.config.chaining
  assert.deepEqual(partner?.clients, { 'k8s://dev/ns/a/sa/b': 'b-there' })
  assert.equal(partner?.resources[0]?.maxTtlSeconds, 120)
  const { transactions } = loaded.config
  assert.deepEqual([transactions?.audience, transactions?.maxTtlSeconds], ['prod.example', 300])
  assert.deepEqual(
    policySettings(loaded.config).audiences.map(({ audience, scopes }) => [audience, ...scopes]),
    [
      ['https://mcp.example.com'],
      ['https://api.partner.example', 'orders:read'],
      ['prod.example', 'trade.read'],
    ],
  )
})

const BROKEN: readonly (readonly [title: string, part: string, by: string, message: string])[] = [
  [
    'ourselves as a partner',
    'issuer: https://as.partner.example',
    'issuer: ▸https://cs.example.com',
    'chaining[0].issuer is our own issuer: its resources need no ID-JAG',
  ],
  [
    'a partner that is no URI',
    'issuer: https://as.partner.example',
    'issuer: ▸partner',
    'chaining[0].issuer is "partner", not an absolute URI',
  ],
  [
    'a resource of ours as a partner’s',
    'audience: https://api.partner.example',
    'audience: ▸https://mcp.example.com',
    'chaining[0].resources[0].audience is "https://mcp.example.com", as an earlier resource\'s is',
  ],
  [
    'ID-JAGs that live for hours',
    'maxTtl: 2m',
    'maxTtl: ▸2h',
    'chaining[0].resources[0].maxTtl is 2h, but must be from 30s to 10m',
  ],
  [
    'a client that is no workload',
    'k8s://dev/ns/a/sa/b: b-there',
    '▸b: b-there',
    'chaining[0].clients.b must be the canonical URI of a workload, such as k8s://…',
  ],
  [
    'a map from nowhere',
    'scopes: [orders:read]',
    'from: { ▸https://a.example: {} }',
    'chaining[0].resources[0].from["https://a.example"] is "https://a.example", which is no resource here',
  ],
  [
    'a trust domain with the name of a resource',
    'trustDomain: prod.example',
    'trustDomain: ▸https://mcp.example.com',
    'transactions.trustDomain is "https://mcp.example.com", which is the issuer or an audience: what is for one would be for the other',
  ],
  [
    'a provider’s client that is no workload',
    'app: k8s://dev/ns/a/sa/b',
    'app: ▸b',
    'users[0].clients.app must be the canonical URI of a workload, such as k8s://…',
  ],
  [
    'clients of a provider whose ID-JAGs are not taken',
    'accept: [id-jag], audiences: [a], clients: {',
    'accept: [id_token], audiences: [a], clients: ▸{',
    'users[0].clients are those of ID-JAGs, which are not in accept',
  ],
]

for (const [title, part, by, message] of BROKEN) {
  test(`${title} is a problem at its token`, () => {
    assert.equal(GOOD.split(part).length, 2, part)
    const { text, at } = marked(GOOD.replace(part, () => by))
    assert.deepEqual(complaints(text), [`countersign.yaml:${at}: error: ${message}`])
  })
}
