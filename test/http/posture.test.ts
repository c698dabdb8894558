import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import { FakeApiServer } from '../world/apiserver.ts'
import { ISSUER, RESOURCE, type Settings, startBroker, type TestBroker } from '../world/broker.ts'
import { POD_UID } from '../world/cluster.ts'
import { serveTrust } from '../world/home.ts'
import { put, STRANGE_UID } from '../world/kubernetes.ts'
import {
  agentsNamespace,
  container,
  homeNode,
  plannerAccount,
  plannerPod,
} from '../world/workload.ts'

const POLICIES = {
  'hardened.cedar': `
@id("hardened-pods-read") @owner("security")
permit (
  principal in Namespace::"prod-eu/agents",
  action == Action::"trades:read",
  resource == Audience::"${RESOURCE}"
) when {
  principal has pod && principal.pod has privileged && !principal.pod.privileged &&
  principal.pod has runAsNonRoot && principal.pod.runAsNonRoot &&
  principal.pod has debugged && !principal.pod.debugged &&
  principal has node && principal.node has cordoned && !principal.node.cordoned &&
  principal has podSecurity && principal.podSecurity has enforce &&
  principal.podSecurity.enforce == "restricted"
};`,
}

/** A broker that knows its cluster by name and kubeconfig, and nothing else of it. */
async function setStage(t: TestContext, trust: Settings = {}) {
  const server = await new FakeApiServer().listen()
  t.after(() => server.close())
  server.put('pods', plannerPod())
  server.put('pods', privileged())
  server.put('nodes', homeNode())
  server.put('namespaces', agentsNamespace())
  server.put('serviceaccounts', plannerAccount())
  const api = { kubeconfig: server.kubeconfig() }
  const broker = await startBroker(t, {
    policies: POLICIES,
    trust: { api, issuer: undefined, jwks: undefined, ...trust },
    before: (cluster) => void serveTrust(server, cluster),
  })
  return { server, ...broker }
}

const privileged = () =>
  plannerPod(({ metadata, spec }) => {
    metadata.name = 'planner-1'
    metadata.uid = STRANGE_UID
    spec.containers[0].securityContext = { privileged: true }
  })

/** Asks as the privileged pod. */
function askPrivileged({ ask, form, cluster }: TestBroker) {
  const pod = { name: 'planner-1', uid: STRANGE_UID }
  return ask(form({ assertion: cluster.mint(({ own }) => put(own, 'pod', pod)) }))
}

/** Asks until the watch has brought a change, which takes turns of the event loop and no time. */
async function until(stage: TestBroker, error: string | undefined): Promise<void> {
  for (let turn = 0; turn < 2_000; turn += 1) {
    const { body } = await stage.ask(stage.form())
    if (body['error'] === error) return
  }
  assert.fail(`never answered with ${error}`)
}

const reasonOf = ({ events }: TestBroker) => events().at(-1)?.reason

suite('a token depends on the state of its pod', () => {
  test('hardened is permitted and privileged refused, by the same policy', async (t) => {
    const stage = await setStage(t)
    const { status } = await stage.ask(stage.form())
    assert.equal(status, 200, JSON.stringify(stage.events().at(-1)))
    const answer = await askPrivileged(stage)
    assert.deepEqual([answer.status, answer.body['error']], [400, 'invalid_scope'])
    assert.equal(reasonOf(stage), 'policy_denied')
    const fact = stage.events().at(-1)?.question?.actor.facts['pod.privileged']
    assert.deepEqual([fact?.value, fact?.grade, fact?.source], [true, 'B', 'api:pods'])
  })

  test('cordoned is refused, uncordoned permitted again', async (t) => {
    const stage = await setStage(t)
    stage.server.put(
      'nodes',
      homeNode(({ spec }) => put(spec, 'unschedulable', true)),
    )
    await until(stage, 'invalid_scope')
    stage.server.put('nodes', homeNode())
    await until(stage, undefined)
  })

  test('a debug container ends it', async (t) => {
    const stage = await setStage(t)
    const debugged = plannerPod(({ spec }) =>
      put(spec, 'ephemeralContainers', [container('debug')]),
    )
    stage.server.put('pods', debugged)
    await until(stage, 'invalid_scope')
    assert.equal(reasonOf(stage), 'policy_denied')
  })

  test('deleted, it is revoked', async (t) => {
    const stage = await setStage(t)
    stage.server.remove('pods', 'agents', 'planner-0')
    await until(stage, 'invalid_grant')
    assert.equal(reasonOf(stage), 'evidence_revoked')
    assert.deepEqual(stage.events().at(-1)?.detail, {
      object: 'pod agents/planner-0',
      problem: 'is gone',
    })
  })
})

suite('a cluster that fell silent', () => {
  test('with watch: 503, and not ready', async (t) => {
    const stage = await setStage(t)
    assert.equal(stage.broker.ready(), true)
    stage.clock.advance(121)
    const answer = await stage.ask(stage.form())
    assert.deepEqual([answer.status, answer.body['error']], [503, 'temporarily_unavailable'])
    assert.equal(reasonOf(stage), 'cluster_unreachable')
    assert.equal(stage.broker.ready(), false)
  })

  test('with jwks and posture: its facts are unknown, and unknown satisfies nothing', async (t) => {
    const stage = await setStage(t, { liveness: 'jwks', posture: true })
    await until(stage, undefined)
    stage.clock.advance(121)
    const answer = await stage.ask(stage.form())
    assert.equal(answer.body['error'], 'invalid_scope')
    const facts = stage.events().at(-1)?.question?.actor.facts ?? {}
    assert.equal(facts['pod.uid']?.value, POD_UID)
    assert.ok(!('pod.privileged' in facts))
    assert.equal(facts['posture.synced']?.value, false)
  })

  test('is seen in the metrics', async (t) => {
    const stage = await setStage(t)
    const { text } = await stage.broker.meter.expose()
    const labels = '{trust="kubernetes:prod-eu",collection="pods"}'
    assert.ok(text.includes(`countersign_cluster_synced${labels} 1`), text)
    assert.ok(text.includes(`countersign_cluster_objects${labels} 2`))
    assert.ok(text.includes(`countersign_cluster_age_seconds${labels} 0`))
    stage.clock.advance(121)
    const later = await stage.broker.meter.expose()
    assert.ok(later.text.includes(`countersign_cluster_synced${labels} 0`))
  })
})

test('a cluster that cannot be asked for its issuer is 503 for its own, and stops nobody else', async (t) => {
  const server = await new FakeApiServer().listen()
  t.after(() => server.close())
  server.tokens.clear()
  const home = `${ISSUER}/k8s/home`
  const trust: object[] = [
    { kubernetes: { cluster: 'home', audience: home, api: { kubeconfig: server.kubeconfig() } } },
  ]
  const { ask, form, cluster, broker, events } = await startBroker(t, {
    settings: { trust },
    before({ issuer }) {
      const jwks = { discovery: true, allowPrivate: true }
      trust.push({ kubernetes: { cluster: 'prod-eu', issuer, jwks } })
    },
  })
  assert.equal((await ask(form())).status, 200)
  assert.equal(broker.ready(), true)
  const own = cluster.mint(({ claims }) => {
    put(claims, 'iss', 'https://home.example')
    put(claims, 'aud', [home])
  })
  const answer = await ask(form({ assertion: own }))
  assert.deepEqual([answer.status, answer.body['error']], [503, 'temporarily_unavailable'])
  assert.equal(events().at(-1)?.reason, 'cluster_unreachable')
  assert.match(String(events().at(-1)?.detail['problem']), /^issuer not known yet: .* 401 .*`api`/)
})
