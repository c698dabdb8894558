/** The shipped example over a broker, a cluster, a registry and a Sigstore: refused at first sight, served once verified. */

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { before, type TestContext, test } from 'node:test'
import type { ImageSettings } from '../attestors/images/settings.ts'
import { FakeApiServer } from './world/apiserver.ts'
import { startBroker } from './world/broker.ts'
import { serveTrust } from './world/home.ts'
import { FakeRegistry, IMAGE, REPOSITORY } from './world/registry.ts'
import { scratch } from './world/scratch.ts'
import { FakeSigstore, GITHUB, WORKFLOW } from './world/sigstore.ts'
import { until } from './world/view.ts'
import {
  agentsNamespace,
  DIGEST,
  type Draft,
  homeNode,
  plannerAccount,
  plannerPod,
} from './world/workload.ts'

const EXAMPLE = resolve(import.meta.dirname, '../policies/examples/signed-images/images.cedar')
const POLICY = readFileSync(EXAMPLE, 'utf8').replace('payments/settlement', 'agents/planner')

// Loaded at first use, from a disk, which takes longer than the turns that `until` waits for.
before(() =>
  Promise.all([
    import('@sigstore/bundle'),
    import('@sigstore/verify'),
    import('@sigstore/protobuf-specs'),
  ]),
)

/** The planner runs one image, from our registry. */
function pinned({ spec, status }: Draft): void {
  spec.containers[0].image = `registry.example.com/${REPOSITORY}@${IMAGE}`
  delete spec.initContainers
  delete status.initContainerStatuses
}

async function setStage(t: TestContext) {
  const sigstore = await FakeSigstore.open()
  const registry = await new FakeRegistry().listen(t)
  const server = await new FakeApiServer().listen()
  t.after(() => server.close())
  server.put('pods', plannerPod(pinned))
  server.put('nodes', homeNode())
  server.put('namespaces', agentsNamespace())
  server.put('serviceaccounts', plannerAccount())
  const trustedRoot = join(scratch(t), 'trusted_root.json')
  writeFileSync(trustedRoot, sigstore.trustedRoot())
  const images: ImageSettings = {
    trustedRoot,
    identities: [{ issuer: GITHUB, subject: WORKFLOW }],
    registries: [{ name: 'registry.example.com', url: registry.url, allowPrivate: true }],
  }
  const world = await startBroker(t, {
    policies: { 'images.cedar': POLICY },
    trust: {
      api: { kubeconfig: server.kubeconfig() },
      issuer: undefined,
      jwks: undefined,
      images,
    },
    before: (cluster) => void serveTrust(server, cluster),
  })
  const health = () => world.broker.attestors()[0]?.images
  const ask = async () => {
    const { status } = await world.ask(world.form())
    const { reason, question } = world.events().at(-1) ?? {}
    return { status, reason, facts: question?.actor.facts ?? {} }
  }
  /** No request waits for this. It takes turns of the event loop, as many as I/O needs. */
  const looked = () => until('an image is looked up', () => health()?.waiting === 0)
  return { sigstore, registry, world, health, ask, looked }
}

test('a signed image: refused at first sight without waiting, then served, with grade and age', async (t) => {
  const { sigstore, registry, world, health, ask, looked } = await setStage(t)
  registry.attach(await sigstore.statement(IMAGE))
  const first = await ask()
  assert.deepEqual([first.status, first.reason], [400, 'policy_denied'])
  assert.equal(first.facts['image.signature']?.value, 'unknown')
  assert.ok(!('image.signatureVerified' in first.facts))
  assert.deepEqual([health()?.waiting, health()?.problem], [1, null])

  const then = world.clock.seconds()
  await looked()
  world.clock.advance(20)
  const second = await ask()
  assert.equal(second.status, 200, `${second.reason} ${health()?.problem}`)
  assert.deepEqual(second.facts['image.signatureVerified'], {
    value: true,
    grade: 'B',
    source: 'sigstore',
    observedAt: then,
  })
  assert.equal(health()?.verified, 1)
})

test('an image that nobody signed: refused at first sight and after it, and health says why', async (t) => {
  const { registry, health, ask, looked, sigstore } = await setStage(t)
  registry.attach(await sigstore.statement(IMAGE, { about: DIGEST }))
  await ask()
  await looked()
  const { status, facts } = await ask()
  assert.equal(status, 400)
  assert.equal(facts['image.signatureVerified']?.value, false)
  assert.equal(health()?.failed, 1)
  assert.match(health()?.problem ?? '', /about another image$/)
})
