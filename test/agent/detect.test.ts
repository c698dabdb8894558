/** Which credential `countersign token` takes when nobody says which. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '../../src/cli/command.ts'
import { detected, SOURCES_USAGE, sourceOf, type Wanted } from '../../src/cli/sources.ts'

const wantedOf = (env: Wanted['env'], tokenFile?: string): Wanted => ({
  issuer: 'https://as.example',
  audience: 'https://as.example',
  tokenFile,
  env,
})

const AWS = { AWS_REGION: 'eu-central-1', AWS_WEB_IDENTITY_TOKEN_FILE: '/token' }
const GITHUB = { ACTIONS_ID_TOKEN_REQUEST_URL: 'https://x', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'y' }
const SPIFFE = { SPIFFE_ENDPOINT_SOCKET: 'unix:///tmp/agent.sock' }

const ROWS: readonly (readonly [string, Wanted, string])[] = [
  ['nothing', wantedOf({}), 'kubernetes'],
  ['a token file', wantedOf(AWS, '/some/token'), 'kubernetes'],
  ['a GitHub job, even with a role of AWS', wantedOf({ ...AWS, ...GITHUB }), 'github'],
  ['a token in the environment', wantedOf({ COUNTERSIGN_ID_TOKEN: 'a.b.c' }), 'env'],
  ['a SPIFFE endpoint, even with a role of AWS', wantedOf({ ...AWS, ...SPIFFE }), 'spiffe'],
  ['a token file beside a SPIFFE endpoint', wantedOf(SPIFFE, '/some/token'), 'kubernetes'],
  ['a role of AWS', wantedOf(AWS), 'aws'],
  ['a region of AWS without credentials', wantedOf({ AWS_REGION: 'eu-central-1' }), 'kubernetes'],
  ['App Service', wantedOf({ IDENTITY_ENDPOINT: 'http://127.0.0.1' }), 'azure'],
  ['Cloud Run', wantedOf({ K_SERVICE: 'agent' }), 'gcp'],
]
for (const [what, wanted, expected] of ROWS) {
  test(`${what} means ${expected}`, () => {
    assert.equal(detected(wanted), expected)
    assert.ok(SOURCES_USAGE.includes(expected))
  })
}

test('a source whose environment is missing, or that there is not, is wrong usage', () => {
  for (const name of ['github', 'env', 'aws', 'aws-caller-identity', 'floppy', 'toString']) {
    assert.throws(() => sourceOf(name, wantedOf({})), UsageError, name)
  }
})

test('a token in the environment is shown as it is', async () => {
  assert.equal(await sourceOf('env', wantedOf({ COUNTERSIGN_ID_TOKEN: 'a.b.c' }))(), 'a.b.c')
})
