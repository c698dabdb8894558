/** `servedBy` takes what each kind of trust entry writes as a workload's URI. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KINDS } from '../../attestors/index.ts'
import { loadConfig } from '../../src/config.ts'
import { OPTIONS } from './sample.ts'

const CS = 'https://cs.example.com'
const TENANT = '11111111-2222-3333-4444-555555555555'

/** A trust entry, a workload that it proves, and one of somebody else's. */
const ROWS: readonly (readonly [object, string, string])[] = [
  [
    { kubernetes: { cluster: 'prod', issuer: 'https://k8s.example.com' } },
    'k8s://prod/ns/mcp/sa/server',
    'k8s://other/ns/mcp/sa/server',
  ],
  [
    {
      spiffe: {
        trustDomain: 'example.org',
        bundle: { url: 'https://spire.example.org/b', profile: 'https_web' },
      },
    },
    'spiffe://example.org/ns/mcp/server',
    'spiffe://other.org/ns/mcp/server',
  ],
  [
    { oidc: { name: 'ci', issuer: 'https://ci.example.com', dedicated: true } },
    'oidc://ci/repo%3Aa%2Fb',
    'oidc://other/repo%3Aa%2Fb',
  ],
  [
    { azure: { tenant: TENANT, audiences: ['api://countersign'] } },
    `azure://${TENANT}/sp/66666666-7777-8888-9999-000000000000`,
    'azure://22222222-2222-3333-4444-555555555555/sp/66666666-7777-8888-9999-000000000000',
  ],
  [
    {
      aws: {
        account: '123456789012',
        issuer: 'https://12345678-9012-4345-8678-901234567890.tokens.sts.global.api.aws',
      },
    },
    'aws://aws/123456789012/role/server',
    'aws://aws/210987654321/role/server',
  ],
]

function said(trust: object, uri: string): readonly string[] {
  const settings = {
    issuer: CS,
    trust: [trust],
    resources: [{ audience: 'https://mcp.example.com', servedBy: [uri] }],
    policies: { path: 'policies' },
  }
  const loaded = loadConfig(JSON.stringify(settings), { ...OPTIONS, kinds: KINDS })
  return 'problems' in loaded ? loaded.problems.map(({ message }) => message) : []
}

for (const [trust, own, foreign] of ROWS) {
  test(`a workload that an entry of the kind ${Object.keys(trust)[0]} proves may serve, a foreign one may not`, () => {
    assert.deepEqual(said(trust, own), [])
    assert.match(said(trust, foreign).join(), /for which no trust entry vouches/)
    assert.match(said(trust, `${own} `).join(), /but must be written/)
  })
}
