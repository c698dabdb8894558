/** The agent's Azure source: the real SDK against an App Service identity endpoint that mints what Entra would. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { azure } from '../../src/agent/sources/azure.ts'
import { attest } from '../world/attest.ts'
import { setAzureStage } from '../world/azure.ts'
import { identityEndpoint } from '../world/identityendpoint.ts'

test('a managed identity’s token is one that the attestor takes', async (t) => {
  const { issuer, attestor, clock } = await setAzureStage(t)
  const asked = await identityEndpoint(t, () => issuer.mint())
  const token = await azure({ audience: attestor.audience })()
  assert.deepEqual(asked, [attestor.audience])
  const identity = await attest(attestor, token, clock)
  assert.equal(identity.kind, 'azure')
})

test('an identity that is not there is credential_unreadable', async (t) => {
  await identityEndpoint(t, () => null)
  await assert.rejects(azure({ audience: 'api://nobody' })(), { code: 'credential_unreadable' })
})
