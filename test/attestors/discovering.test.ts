import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import { kubernetesAttestor } from '../../attestors/kubernetes/index.ts'
import type { KubernetesSettings } from '../../attestors/kubernetes/settings.ts'
import type { IssuerFault } from '../../src/identity.ts'
import { createDoor } from '../../src/net/fetch.ts'
import { parseJwt } from '../../src/net/jwt.ts'
import { trustTable } from '../../src/trust.ts'
import { FakeApiServer } from '../world/apiserver.ts'
import { attest, refused } from '../world/attest.ts'
import { TestClock } from '../world/clock.ts'
import { FakeCluster } from '../world/cluster.ts'
import { serveTrust } from '../world/home.ts'
import { AUDIENCE } from '../world/kubernetes.ts'
import { until } from '../world/view.ts'
import { agentsNamespace, homeNode, plannerAccount, plannerPod } from '../world/workload.ts'

/** A cluster of which the settings say no more than how to reach it. */
async function setStage(
  t: TestContext,
  change: Partial<KubernetesSettings> = {},
  faultOf: IssuerFault = () => null,
) {
  const clock = new TestClock()
  const issuer = new FakeCluster({ clock, audience: AUDIENCE, issuer: 'https://own.example' })
  await issuer.listen()
  const server = await new FakeApiServer().listen()
  server.put('pods', plannerPod())
  server.put('nodes', homeNode())
  server.put('namespaces', agentsNamespace())
  server.put('serviceaccounts', plannerAccount())
  const trust = serveTrust(server, issuer)
  const warnings: string[] = []
  const attestor = kubernetesAttestor(
    { cluster: 'prod-eu', api: { kubeconfig: server.kubeconfig() }, ...change },
    { trust: 'kubernetes:prod-eu', audience: AUDIENCE },
    {
      door: createDoor({ timers: clock.timers }),
      now: clock.now,
      timers: clock.timers,
      warn: ({ problem }) => warnings.push(String(problem)),
    },
    faultOf,
  )
  t.after(async () => {
    attestor.close()
    await Promise.all([issuer.close(), server.close()])
  })
  return { clock, issuer, server, attestor, trust, warnings }
}

suite('a cluster whose issuer is not configured', () => {
  test('is asked for its issuer and its keys, and then vouches', async (t) => {
    const { clock, issuer, server, attestor } = await setStage(t)
    assert.deepEqual(attestor.issuers, [])
    await attestor.start()
    assert.equal(attestor.issuers[0], 'https://own.example')
    assert.equal(attestor.health().ready, true)
    const { facts } = await attest(attestor, issuer.mint(), clock)
    assert.equal(facts['pod.runAsNonRoot']?.value, true)
    assert.ok(server.requests.includes('GET /openid/v1/jwks'))
    assert.deepEqual(issuer.requests, [], 'nothing is asked at the URL that the issuer would be')
  })

  test('refuses tokens for its audience with cluster_unreachable until it answers', async (t) => {
    const { clock, issuer, attestor, trust, warnings } = await setStage(t)
    trust.document = null
    await attestor.start()
    const table = trustTable([attestor])
    const jwt = parseJwt(issuer.mint())
    await refused(() => table.select(jwt).prepare(jwt, clock.seconds()), 'cluster_unreachable')
    const foreign = parseJwt(issuer.mint(({ claims }) => Object.assign(claims, { aud: 'other' })))
    await refused(() => table.select(foreign), 'issuer_untrusted')
    assert.match(attestor.health().problem ?? '', /^issuer not known yet: .* answered 404/)
    assert.equal(attestor.health().ready, false)
    assert.equal(warnings.length, 1)

    trust.document = { issuer: 'https://own.example' }
    clock.advance(1)
    await until('it is ready', () => attestor.health().ready)
    await attest(table.select(jwt), issuer.mint(), clock)
  })

  test('is asked less and less often, and no more once closed', async (t) => {
    const { clock, attestor, trust } = await setStage(t)
    trust.document = null
    await attestor.start()
    assert.deepEqual(clock.pending(), [0.75])
    await attestor.start()
    assert.ok(clock.pending().includes(1.5))
    attestor.close()
    assert.ok(!clock.pending().includes(1.5))
  })

  // biome-ignore format: a table, one row a line
  const odd: readonly (readonly [string, unknown])[] = [
    ['none', undefined],
    ['a number', 7],
    ['an empty one', ''],
    ['that of tokens in Secrets', 'kubernetes/serviceaccount'],
    ['an endless one', 'x'.repeat(2049)],
  ]
  for (const [what, named] of odd) {
    test(`is not ready when the issuer that it names is ${what}`, async (t) => {
      const { attestor, trust } = await setStage(t)
      trust.document = { issuer: named }
      await attestor.start()
      assert.deepEqual(attestor.issuers, [])
      assert.match(attestor.health().problem ?? '', /names the issuer/)
    })
  }

  test('never answers for an issuer that the configuration gave to another', async (t) => {
    const fault = 'is that of another entry'
    const { attestor } = await setStage(t, {}, () => fault)
    await attestor.start()
    assert.deepEqual(attestor.issuers, [])
    assert.match(attestor.health().problem ?? '', /the issuer that the API server names is that/)
  })

  test('gives its keys over the same connection where only the issuer is configured', async (t) => {
    const settings = { issuer: 'https://own.example', liveness: 'jwks' } as const
    const { clock, issuer, server, attestor } = await setStage(t, settings)
    await attest(attestor, issuer.mint(), clock)
    assert.deepEqual(server.requests, ['GET /openid/v1/jwks'])
  })

  test('whose keys may not be read says which permission is missing', async (t) => {
    const { clock, issuer, attestor, trust } = await setStage(t, { liveness: 'jwks' })
    trust.keys = false
    await attestor.start()
    await refused(attest(attestor, issuer.mint(), clock), 'issuer_keys_unavailable')
    assert.match(attestor.health().problem ?? '', /needs get on .*jwks/)
  })
})
