import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GRADES } from '../../attestors/kubernetes/grades.ts'
import { projectNamespace, projectNode, projectPod } from '../../attestors/kubernetes/projection.ts'
import { PRINCIPALS } from '../../src/policy/principals.ts'
import { attest, refused } from '../world/attest.ts'
import { put, STRANGE_UID, setStage } from '../world/kubernetes.ts'
import { agentsNamespace, homeNode, plannerPod } from '../world/workload.ts'

/** Takes facts, and does not ask who is alive. */
const POSTURE = { liveness: 'jwks', posture: true } as const

const ATTRIBUTES = PRINCIPALS['ServiceAccount']?.attributes ?? {}

test('every fact has the grade that its attribute promises', () => {
  for (const [name, grade] of Object.entries(GRADES)) {
    assert.equal(ATTRIBUTES[name]?.grade, grade, name)
  }
})

test('every attribute is a fact that somebody proves', () => {
  const signed = ['cluster', 'namespace', 'name', 'uid']
  const elsewhere = /^(pod|node)\.(name|uid)$|^posture\.|^image\.signature/
  const orphans = Object.keys(ATTRIBUTES).filter(
    (name) => !(name in GRADES) && !signed.includes(name) && !elsewhere.test(name),
  )
  assert.deepEqual(orphans, [])
})

test('every fact has the type of its attribute', () => {
  const pod = plannerPod(({ spec }) => put(spec, 'runtimeClassName', 'gvisor'))
  const records = [projectPod(pod), projectNode(homeNode()), projectNamespace(agentsNamespace())]
  const facts = Object.assign({}, ...records.map((record) => record?.facts))
  const types = { string: 'String', number: 'Long', boolean: 'Bool', object: 'Set<String>' }
  assert.deepEqual(Object.keys(facts).sort(), Object.keys(GRADES).sort())
  for (const [name, value] of Object.entries(facts)) {
    const type = types[typeof value as keyof typeof types]
    assert.equal(ATTRIBUTES[name]?.type, type, name)
  }
})

suite('posture', () => {
  test('stands beside what the token says, with grade, source and the time of the last word', async (t) => {
    const { clock, issuer, attestor } = await setStage(t, { watches: true })
    const { facts } = await attest(attestor, issuer.mint(), clock)
    const observedAt = clock.seconds() - 7
    const fact = (collection: string, grade: string, value: unknown) => ({
      value,
      grade,
      source: `api:${collection}`,
      observedAt,
    })
    assert.deepEqual(facts['pod.privileged'], fact('pods', 'B', false))
    assert.deepEqual(facts['podLabels'], fact('pods', 'D', ['app=planner']))
    assert.deepEqual(facts['node.cordoned'], fact('nodes', 'B', false))
    assert.deepEqual(facts['node.kubelet.minor'], fact('nodes', 'C', 34))
    assert.deepEqual(facts['podSecurity.enforce'], fact('namespaces', 'B', 'restricted'))
    assert.deepEqual(facts['node.name']?.grade, 'A')
    assert.deepEqual(facts['posture.synced']?.value, true)
    assert.deepEqual(facts['posture.ageSeconds']?.value, 7)
  })

  test('is not read unless the entry says so', async (t) => {
    const { clock, issuer, attestor } = await setStage(t)
    const { facts } = await attest(attestor, issuer.mint(), clock)
    assert.deepEqual(
      Object.keys(facts)
        .filter((name) => /^(pod|node)\.|posture/.test(name))
        .sort(),
      ['node.name', 'node.uid', 'pod.name', 'pod.uid'],
    )
  })

  const parts = { pods: 'pod.privileged', nodes: 'node.cordoned', namespaces: 'namespaceLabels' }
  for (const [collection, lost] of Object.entries(parts)) {
    test(`of ${collection} that cannot be believed is unknown, and the rest is known`, async (t) => {
      const { clock, issuer, attestor, view } = await setStage(t, {
        watches: true,
        settings: POSTURE,
      })
      view.stale.add(collection as keyof typeof parts)
      const { facts } = await attest(attestor, issuer.mint(), clock)
      for (const name of Object.values(parts)) assert.equal(name in facts, name !== lost, name)
      assert.equal(facts['posture.synced']?.value, false)
      assert.equal(attestor.health().ready, true)
    })
  }

  test('of a cluster that was never read is unknown, its age too', async (t) => {
    const stage = await setStage(t, { watches: true, settings: POSTURE })
    stage.view.ageSeconds = null
    for (const each of ['pods', 'nodes', 'namespaces', 'serviceaccounts'] as const) {
      stage.view.stale.add(each)
    }
    const { facts } = await attest(stage.attestor, stage.issuer.mint(), stage.clock)
    assert.equal(facts['posture.synced']?.value, false)
    assert.ok(!('posture.ageSeconds' in facts) && !('pod.privileged' in facts))
  })

  test('of a namesake is not that of the pod', async (t) => {
    const { clock, issuer, attestor, view } = await setStage(t, {
      watches: true,
      settings: POSTURE,
    })
    put(view.objects.pod.metadata, 'uid', STRANGE_UID)
    const { facts } = await attest(attestor, issuer.mint(), clock)
    assert.ok(!('pod.privileged' in facts))
  })

  test('of a node made anew is not that of the node', async (t) => {
    const { clock, issuer, attestor, view } = await setStage(t, {
      watches: true,
      settings: POSTURE,
    })
    put(view.objects.node.metadata, 'uid', STRANGE_UID)
    const { facts } = await attest(attestor, issuer.mint(), clock)
    assert.ok(!('node.cordoned' in facts))
    assert.equal(facts['pod.privileged']?.value, false)
  })

  test('of a node on which the pod is not is not that of the pod', async (t) => {
    const { clock, issuer, attestor, view } = await setStage(t, {
      watches: true,
      settings: POSTURE,
    })
    put(view.objects.pod.spec, 'nodeName', 'node-2')
    const { facts } = await attest(attestor, issuer.mint(), clock)
    assert.ok(!('node.cordoned' in facts))
  })

  test('does not fail with the API server where nobody asked for liveness', async (t) => {
    const { clock, issuer, attestor, view } = await setStage(t, {
      watches: true,
      settings: POSTURE,
    })
    put(view.objects, 'pod', null)
    view.down = true
    const { facts } = await attest(attestor, issuer.mint(), clock)
    assert.ok(!('pod.privileged' in facts))
  })

  test('stands beside TokenReview', async (t) => {
    const { clock, issuer, attestor } = await setStage(t, {
      watches: true,
      settings: { liveness: 'tokenreview', posture: true },
    })
    const { facts } = await attest(attestor, issuer.mint(), clock)
    assert.equal(facts['pod.privileged']?.value, false)
    assert.equal(issuer.reviews.length, 1)
    issuer.deleted.add(String(facts['pod.uid']?.value))
    await refused(attest(attestor, issuer.mint(), clock), 'evidence_revoked')
  })

  test('is shown to the operator collection by collection', async (t) => {
    const { attestor, view } = await setStage(t, { watches: true })
    view.stale.add('nodes')
    const { cluster = [] } = attestor.health()
    const states = cluster.map(({ collection, fresh, problem }) => [collection, fresh, problem])
    assert.deepEqual(states, [
      ['pods', true, null],
      ['nodes', false, 'it is silent'],
      ['namespaces', true, null],
      ['serviceaccounts', true, null],
    ])
    assert.match(cluster[1]?.needs ?? '', /^get, list and watch on nodes/)
    attestor.close()
    assert.ok(view.closed)
  })
})
