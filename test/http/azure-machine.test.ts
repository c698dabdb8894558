/** An Azure machine at the token endpoint: the agent shows token and document, the policy asks for secure boot. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { agent, azure, azureMachine } from '../../src/agent/index.ts'
import { APP_ID, FakeEntra, OBJECT_ID, TENANT } from '../world/azure.ts'
import { type Imds, startImds } from '../world/azuremachines.ts'
import { ISSUER, RESOURCE, startBroker } from '../world/broker.ts'
import * as cms from '../world/cms.ts'
import { identityEndpoint } from '../world/identityendpoint.ts'
import { FakeResourceGraph, machineRow } from '../world/resourcegraph.ts'
import { scratch } from '../world/scratch.ts'

const POLICY = `
@id("hardened") @owner("team-agents")
permit (principal == AzureIdentity::"${TENANT}/${OBJECT_ID}", action == Action::"trades:read", resource)
when { principal has vm && principal.vm has secureBoot && principal.vm.secureBoot };
`

async function start(t: TestContext) {
  const { root, intermediate, leaf } = cms.azureAuthorities()
  const [roots, intermediates] = ['roots', 'intermediates'].map((name) => join(scratch(t), name))
  writeFileSync(roots ?? '', root.pem)
  writeFileSync(intermediates ?? '', intermediate.pem)
  const trust: object[] = []
  let entra: FakeEntra | undefined
  let graph: FakeResourceGraph | undefined
  const world = await startBroker(t, {
    policies: { 'hardened.cedar': POLICY },
    settings: { trust },
    async before(_cluster, clock) {
      graph = await new FakeResourceGraph(clock).listen(t)
      entra = await new FakeEntra(clock).listen()
      const jwks = { url: entra.jwksUrl, allowPrivate: true }
      const machines = { subscriptions: [cms.SUBSCRIPTION], roots, intermediates }
      trust.push({ azure: { tenant: TENANT, audiences: [APP_ID], jwks, ...machines } })
    },
    door: () => graph?.door() ?? assert.fail(),
  })
  const [issuer, table] = [entra ?? assert.fail(), graph ?? assert.fail()]
  t.after(() => issuer.close())
  const imds = await startImds(t, (nonce) =>
    cms.message({ signer: leaf, text: cms.content({ nonce }) }).toString('base64'),
  )
  // One process cannot be two: broker and agent ask the same endpoint, each for its own resource.
  const identities = await identityEndpoint(t, (resource) =>
    resource === APP_ID ? issuer.mint() : table.token,
  )
  return { ...world, graph: table, imds, identities, ...agents(world, imds) }
}

function agents({ app }: Pick<Awaited<ReturnType<typeof startBroker>>, 'app'>, imds: Imds) {
  const http: typeof fetch = async (input, init) => {
    const url = new URL(String(input))
    if (url.origin !== ISSUER) return fetch(url, init)
    const answer = await app.inject({
      method: init?.method === 'POST' ? 'POST' : 'GET',
      url: url.pathname,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: String(init?.body ?? ''),
    })
    const { statusCode: status } = answer
    return new Response(answer.body, { status, headers: { 'x-request-id': 'r' } })
  }
  const options = { issuer: ISSUER, resource: RESOURCE, fetch: http, scopes: ['trades:read'] }
  const machine = azureMachine({
    audience: APP_ID,
    issuer: ISSUER,
    fetch: http,
    metadata: imds.origin,
  })
  return {
    withDocument: agent({ ...options, source: machine }),
    withoutDocument: agent({ ...options, source: azure({ audience: APP_ID }) }),
  }
}

suite('an Azure machine at the token endpoint', () => {
  test('gets a token for token and document, by the SDK on both sides', async (t) => {
    const { withDocument, identities, events } = await start(t)
    const { access_token: token } = await withDocument.request()
    assert.equal(decodeJwt(token).sub, `azure://${TENANT}/sp/${OBJECT_ID}`)
    assert.deepEqual(identities.toSorted(), [APP_ID, 'https://management.azure.com'])
    const facts = events()[0]?.question?.actor.facts
    assert.deepEqual(facts?.['vm.secureBoot'], {
      value: true,
      grade: 'B',
      source: 'api:resourcegraph',
      observedAt: cms.NOW,
    })
  })

  test('asks the metadata service again until it answers our challenge', async (t) => {
    const { withDocument, imds } = await start(t)
    imds.stale = 4
    await withDocument.request()
    assert.deepEqual([imds.asked.length, new Set(imds.asked).size], [5, 1])
    imds.stale = 5
    await assert.rejects(withDocument.request(), { code: 'credential_unreadable' })
  })

  test('gets nothing without the document, or on a machine that is not hardened', async (t) => {
    const { withDocument, withoutDocument, graph } = await start(t)
    await assert.rejects(withoutDocument.request(), { code: 'invalid_scope' })
    graph.rows = [machineRow({ security: null })]
    await assert.rejects(withDocument.request(), { code: 'invalid_scope' })
  })

  test('is told to try again while Resource Graph fails', async (t) => {
    const { withDocument, graph, events } = await start(t)
    graph.fault = 'error'
    await assert.rejects(withDocument.request(), { code: 'temporarily_unavailable' })
    assert.equal(events()[0]?.reason, 'inventory_unavailable')
    graph.fault = null
    await withDocument.request()
  })

  for (const fault of ['error', 'page', 'encoding'] as const) {
    test(`does not ask us while its metadata service answers ${fault}`, async (t) => {
      const { withDocument, imds, events } = await start(t)
      imds.fault = fault
      await assert.rejects(withDocument.request(), { code: 'credential_unreadable' })
      assert.deepEqual(events(), [])
    })
  }
})
