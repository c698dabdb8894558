import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseJwt } from '../../src/net/jwt.ts'
import { attest, refused } from '../world/attest.ts'
import type { TokenDraft } from '../world/cluster.ts'
import type { MemoryView } from '../world/clusterview.ts'
import { put, STRANGE_UID, setStage } from '../world/kubernetes.ts'
import { plannerPod } from '../world/workload.ts'

type Row = readonly [
  what: string,
  change: (view: MemoryView) => void,
  object: RegExp,
  problem: string,
]

/** Deletion timestamps around the test's first instant, 1 800 000 000. */
const IN_30_S = '2027-01-15T08:00:30Z'
const BEFORE_60_S = '2027-01-15T07:59:00Z'
const BEFORE_61_S = '2027-01-15T07:58:59Z'

const deleting = (at: string, object: 'pod' | 'account' | 'node') => (view: MemoryView) =>
  put(view.objects[object].metadata, 'deletionTimestamp', at)

// biome-ignore format: a table, one row a line
const ROWS: readonly Row[] = [
  ['a pod that is gone', ({ objects }) => put(objects, 'pod', null), /^pod agents\/planner-0$/, 'is gone'],
  ['a pod made anew under its name', ({ objects }) => put(objects.pod.metadata, 'uid', STRANGE_UID), /^pod/, 'was replaced'],
  ['a pod that is being deleted', deleting(IN_30_S, 'pod'), /^pod/, 'is being deleted'],
  ['a pod that succeeded', ({ objects }) => put(objects.pod.status, 'phase', 'Succeeded'), /^pod/, 'has ended'],
  ['a pod that failed', ({ objects }) => put(objects.pod.status, 'phase', 'Failed'), /^pod/, 'has ended'],
  ['a pod of another account', ({ objects }) => put(objects.pod.spec, 'serviceAccountName', 'root'), /^pod/, 'runs as another service account'],
  ['a pod on another node', ({ objects }) => put(objects.pod.spec, 'nodeName', 'node-2'), /^pod/, 'is not on that node'],
  ['a pod on no node yet', ({ objects }) => void delete objects.pod.spec.nodeName, /^pod/, 'is not on that node'],
  ['a pod that cannot be read', ({ objects }) => put(objects.pod.spec, 'containers', 'x'), /^pod/, 'is gone'],
  ['an account that is gone', ({ objects }) => put(objects, 'account', null), /^service account agents\/planner$/, 'is gone'],
  ['an account made anew', ({ objects }) => put(objects.account.metadata, 'uid', STRANGE_UID), /^service account/, 'was replaced'],
  ['an account that is being deleted', deleting(IN_30_S, 'account'), /^service account/, 'is being deleted'],
  ['a node that is gone', ({ objects }) => put(objects, 'node', null), /^node node-1$/, 'is gone'],
  ['a node made anew', ({ objects }) => put(objects.node.metadata, 'uid', STRANGE_UID), /^node/, 'was replaced'],
  ['a node that is being deleted', deleting(IN_30_S, 'node'), /^node/, 'is being deleted'],
]

suite('liveness watch', () => {
  test('a living workload is accepted at once, without a promise and without a request', async (t) => {
    const { clock, issuer, attestor, view } = await setStage(t, { watches: true })
    await attestor.start()
    assert.ok(view.started)
    const prepared = attestor.prepare(parseJwt(issuer.mint()), clock.seconds())
    assert.ok(!(prepared instanceof Promise))
    assert.equal(prepared.verify(clock.seconds()).uri, 'k8s://prod-eu/ns/agents/sa/planner')
    assert.deepEqual(view.obtained, [])
  })

  for (const [what, change, object, problem] of ROWS) {
    test(`${what} is evidence_revoked`, async (t) => {
      const { clock, issuer, attestor, view } = await setStage(t, { watches: true })
      change(view)
      const refusal = await refused(attest(attestor, issuer.mint(), clock), 'evidence_revoked')
      assert.match(String(refusal.detail['object']), object)
      assert.equal(refusal.detail['problem'], problem)
    })
  }

  for (const object of ['pod', 'account', 'node'] as const) {
    test(`terminating: allow keeps Kubernetes’ own leeway: ${object}`, async (t) => {
      const settings = { terminating: 'allow' as const }
      const { clock, issuer, attestor, view } = await setStage(t, { watches: true, settings })
      deleting(BEFORE_60_S, object)(view)
      await attest(attestor, issuer.mint(), clock)
      deleting(BEFORE_61_S, object)(view)
      await refused(attest(attestor, issuer.mint(), clock), 'evidence_revoked')
    })
  }

  test('the instant that counts is that of verify', async (t) => {
    const settings = { terminating: 'allow' as const }
    const { clock, issuer, attestor, view } = await setStage(t, { watches: true, settings })
    deleting(BEFORE_60_S, 'pod')(view)
    const prepared = await attestor.prepare(parseJwt(issuer.mint()), clock.seconds())
    clock.advance(1)
    await refused(() => prepared.verify(clock.seconds()), 'evidence_revoked')
  })

  test('a pod that goes between prepare and verify is refused', async (t) => {
    const { clock, issuer, attestor, view } = await setStage(t, { watches: true })
    await attestor.start()
    const prepared = await attestor.prepare(parseJwt(issuer.mint()), clock.seconds())
    put(view.objects, 'pod', null)
    await refused(() => prepared.verify(clock.seconds()), 'evidence_revoked')
  })

  for (const collection of ['pods', 'serviceaccounts', 'nodes'] as const) {
    test(`${collection} that cannot be believed are cluster_unreachable, whoever is alive`, async (t) => {
      const { clock, issuer, attestor, view } = await setStage(t, { watches: true })
      await attestor.start()
      assert.equal(attestor.health().ready, true)
      view.stale.add(collection)
      const refusal = await refused(attest(attestor, issuer.mint(), clock), 'cluster_unreachable')
      assert.deepEqual(refusal.detail, {
        collection,
        synced: true,
        ageSeconds: 7,
        problem: 'it is silent',
      })
      assert.equal(attestor.health().ready, false)
      assert.deepEqual(view.obtained, [])
    })
  }

  test('namespaces are not needed to be alive', async (t) => {
    const { clock, issuer, attestor, view } = await setStage(t, { watches: true })
    view.stale.add('namespaces')
    await attest(attestor, issuer.mint(), clock)
  })

  test('a token of Kubernetes before 1.30 is held to the node of its pod', async (t) => {
    const { clock, issuer, attestor, view } = await setStage(t, { watches: true })
    const old = () => issuer.mint(({ own }) => void delete own['node'])
    const identity = await attest(attestor, old(), clock)
    const { value, grade } = identity.facts['node.name'] ?? assert.fail()
    assert.deepEqual([value, grade], ['node-1', 'B'])
    assert.ok(identity.lineage.some((each) => each.startsWith('node:prod-eu/')))
    put(view.objects, 'node', null)
    await refused(attest(attestor, old(), clock), 'evidence_revoked')
  })

  test('a token without a pod is held to its account', async (t) => {
    const settings = { pod: 'optional' as const }
    const { clock, issuer, attestor, view } = await setStage(t, { watches: true, settings })
    const bare = ({ own }: TokenDraft) => {
      delete own['pod']
      delete own['node']
    }
    await attest(attestor, issuer.mint(bare), clock)
    put(view.objects, 'account', null)
    await refused(attest(attestor, issuer.mint(bare), clock), 'evidence_revoked')
  })
})

suite('what the watch has not brought yet', () => {
  test('is asked for once the signature holds, and then counts', async (t) => {
    const { clock, issuer, attestor, view } = await setStage(t, { watches: true })
    Object.assign(view.late, view.objects)
    Object.assign(view.objects, { pod: null, node: null, account: null })
    await attest(attestor, issuer.mint(), clock)
    assert.deepEqual(view.obtained, ['pod planner-0', 'account planner', 'node node-1'])
  })

  test('is asked for as well where a namesake from before is still in the view', async (t) => {
    const { clock, issuer, attestor, view } = await setStage(t, { watches: true })
    view.late.pod = plannerPod()
    put(view.objects.pod.metadata, 'uid', STRANGE_UID)
    await attest(attestor, issuer.mint(), clock)
    assert.deepEqual(view.obtained, ['pod planner-0'])
  })

  test('is not asked for on behalf of a forged token', async (t) => {
    const { clock, issuer, attestor, view } = await setStage(t, { watches: true })
    put(view.objects, 'pod', null)
    const token = issuer.mint()
    const forged = `${token.slice(0, token.lastIndexOf('.'))}.AAAA`
    await refused(attest(attestor, forged, clock), 'signature_invalid')
    assert.deepEqual(view.obtained, [])
  })

  test('is not asked for on behalf of a token that is older than any lag', async (t) => {
    const { clock, issuer, attestor, view } = await setStage(t, { watches: true })
    await attestor.start()
    put(view.objects, 'pod', null)
    const token = issuer.mint()
    clock.advance(67)
    await refused(attest(attestor, token, clock), 'evidence_revoked')
    assert.deepEqual(view.obtained, ['pod planner-0'])
    clock.advance(1)
    await refused(attest(attestor, token, clock), 'evidence_revoked')
    assert.equal(view.obtained.length, 1)
  })

  test('is cluster_unreachable while nobody answers', async (t) => {
    const { clock, issuer, attestor, view } = await setStage(t, { watches: true })
    put(view.objects, 'pod', null)
    view.down = true
    await refused(attest(attestor, issuer.mint(), clock), 'cluster_unreachable')
  })
})
