/** What is wrong with providers of people, with delegation, and with maps between resources: each at its token. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { complaints, marked } from './sample.ts'

const config = (
  change: { users?: string; delegation?: string; from?: string } = {},
) => `issuer: https://cs.example.com
trust:
  - kubernetes: { cluster: jobs, issuer: https://login.example, jwks: { discovery: true } }
resources:
  - audience: https://chat.example.com
    scopes: [chat:use]
  - audience: https://mcp.example.com
    scopes: [trades:read]
    from: ${change.from ?? '{ https://chat.example.com: { chat:use: [trades:read] } }'}
policies: { path: ./policies }
users:
${change.users ?? '  - { name: corp, issuer: https://corp.example, accept: [id_token], audiences: [app] }'}
delegation: ${change.delegation ?? '{ maxDepth: 4 }'}
`

const entry = (change: string, name = 'corp') =>
  `  - { name: ${name}, issuer: https://corp.example, accept: [id_token], audiences: [app]${change} }`

const ROWS: readonly (readonly [what: string, text: string, said: RegExp])[] = [
  [
    'our own issuer',
    config({
      users:
        '  - { name: corp, issuer: ▸https://cs.example.com, accept: [id_token], audiences: [app] }',
    }),
    /is our own issuer/,
  ],
  [
    'two of one name',
    config({
      users: `${entry('')}\n  - { name: ▸corp, issuer: https://other.example, accept: [id_token], audiences: [app] }`,
    }),
    /as that of an earlier entry/,
  ],
  [
    'two of one issuer',
    config({
      users: `${entry('')}\n  - { name: more, issuer: ▸https://corp.example, accept: [id_token], audiences: [app] }`,
    }),
    /"users:corp" answers for/,
  ],
  [
    'an audience of a trust entry of that issuer',
    config({
      users:
        '  - { name: corp, issuer: https://login.example, accept: [id_token], audiences: [▸https://cs.example.com] }',
    }),
    /tokens of workloads and of people need different ones/,
  ],
  [
    'no kind of token',
    config({
      users: '  - { name: corp, issuer: https://corp.example, accept: ▸[], audiences: [app] }',
    }),
    /users\[0\]\.accept/,
  ],
  [
    'an unknown kind of token',
    config({
      users: '  - { name: corp, issuer: https://corp.example, accept: [▸saml], audiences: [app] }',
    }),
    /users\[0\]\.accept\[0\]/,
  ],
  [
    'no audiences',
    config({
      users: '  - { name: corp, issuer: https://corp.example, accept: [id_token], audiences: ▸[] }',
    }),
    /users\[0\]\.audiences/,
  ],
  [
    'an issuer without keys',
    config({
      users: '  - { name: corp, issuer: ▸"urn:corp", accept: [id_token], audiences: [app] }',
    }),
    /must be an https URL/,
  ],
  [
    'two sources of keys',
    config({ users: entry(', jwks: ▸{ discovery: true, url: https://corp.example/keys }') }),
    /exactly one of/,
  ],
  ['users that are no list', config({ users: '  ▸name: corp' }), /users/],
  ['a chain without actors', config({ delegation: '{ maxDepth: ▸0 }' }), /delegation\.maxDepth/],
  [
    'an agent that nobody vouches for',
    config({ delegation: `{ agents: [▸'SpiffeWorkload::"spiffe://a/b"'] }` }),
    /no trust entry of the kind spiffe vouches/,
  ],
  ['an agent that is none', config({ delegation: '{ agents: [▸planner] }' }), /not a principal/],
  [
    'a map from nowhere',
    config({ from: '{ ▸https://caht.example.com: { chat:use: [trades:read] } }' }),
    /which is no resource here/,
  ],
  [
    'a map from the resource itself',
    config({ from: '{ ▸https://mcp.example.com: { trades:read: [trades:read] } }' }),
    /is this resource itself/,
  ],
  [
    'a map from a scope that is not offered',
    config({ from: '{ https://chat.example.com: { ▸chat:sue: [trades:read] } }' }),
    /does not offer/,
  ],
  [
    'a map to a scope that is not offered',
    config({ from: '{ https://chat.example.com: { chat:use: [▸trades:raed] } }' }),
    /is no scope of this resource/,
  ],
]

for (const [what, text, said] of ROWS) {
  test(`${what} is a problem at its token`, () => {
    const { text: clean, at } = marked(text)
    const found = complaints(clean)
    assert.equal(found.length, 1, found.join('\n'))
    assert.equal(found[0]?.startsWith(`countersign.yaml:${at}: error: `), true, found.join())
    assert.match(found[0] ?? '', said)
  })
}

test('the configuration that they are made of is good', () => {
  assert.deepEqual(complaints(config()), [])
})
