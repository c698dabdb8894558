import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import { AgentError } from '../../src/agent/index.ts'
import { gcp } from '../../src/agent/sources/gcp.ts'
import { attest } from '../world/attest.ts'
import { GCP_AUDIENCE, setGcpStage, UNIQUE_ID } from '../world/gcp.ts'
import { put } from '../world/kubernetes.ts'
import { type MetadataFault, startMetadata } from '../world/metadata.ts'

async function start(t: TestContext) {
  const stage = await setGcpStage(t)
  const metadata = await startMetadata(t, (audience) =>
    stage.issuer.mint(({ claims }) => put(claims, 'aud', audience)),
  )
  return { ...stage, metadata, source: gcp({ audience: GCP_AUDIENCE, host: metadata.host }) }
}

suite('the agent’s source of Google identity tokens', () => {
  test('gets a token that the attestor takes, with the machine in it', async (t) => {
    const { source, attestor, clock, metadata } = await start(t)
    const { principal, facts } = await attest(attestor, await source(), clock)
    assert.equal(principal.id, UNIQUE_ID)
    assert.ok('instance.id' in facts)
    const audience = encodeURIComponent(GCP_AUDIENCE)
    assert.ok(metadata.requests[0]?.endsWith(`/default/identity?audience=${audience}&format=full`))
  })

  const rows: readonly (readonly [MetadataFault, RegExp])[] = [
    ['flavor', /is not that of Google/],
    ['redirect', /cannot be reached/],
    ['error', /answered 503/],
    ['page', /did not answer with an identity token/],
    ['huge', /did not answer with an identity token/],
  ]
  for (const [fault, message] of rows) {
    test(`takes nothing from a server with the fault ${fault}`, async (t) => {
      const { source, metadata } = await start(t)
      metadata.fault = fault
      await assert.rejects(source(), (error: AgentError) => {
        assert.ok(error instanceof AgentError)
        assert.equal(error.code, 'credential_unreadable')
        assert.match(error.message, message)
        return true
      })
    })
  }

  test('says that a service account which is not there is not there', async (t) => {
    const { metadata } = await start(t)
    const source = gcp({ audience: 'a', serviceAccount: '../../x?', host: metadata.host })
    await assert.rejects(source(), { code: 'credential_unreadable', message: /answered 404/ })
    assert.ok(metadata.requests[0]?.includes('/service-accounts/..%2F..%2Fx%3F/identity'))
  })
})
