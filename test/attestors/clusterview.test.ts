import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { refused } from '../world/attest.ts'
import { TestClock } from '../world/clock.ts'
import { node, openView, pod, setStage, startServer, until } from '../world/view.ts'

suite('a view of a cluster', () => {
  test('has what the cluster has', async (t) => {
    const { view } = await setStage(t)
    assert.equal(view.pod('agents', 'planner-0')?.uid, 'pod-uid-1')
    assert.equal(view.node('node-1')?.uid, 'node-uid-1')
    assert.equal(view.namespace('agents')?.uid, 'namespace-uid-1')
    assert.equal(view.serviceAccount('agents', 'planner')?.uid, 'account-uid-1')
    assert.equal(view.pod('other', 'planner-0'), undefined)
    const freshness = { synced: true, ageSeconds: 0, objects: 1, problem: null }
    assert.deepEqual(view.freshness('pods'), freshness)
  })

  test('knows nothing before it is started, and says so', async (t) => {
    const server = await startServer(t)
    const { view } = openView(t, { kubeconfig: server.kubeconfig() }, new TestClock())
    assert.equal(view.fresh('pods'), false)
    const freshness = { synced: false, ageSeconds: null, objects: 0, problem: null }
    assert.deepEqual(view.freshness('pods'), freshness)
    assert.deepEqual(server.requests, [])
  })

  test('asks for metadata alone where nothing else is used', async (t) => {
    const server = await startServer(t)
    const accepted = new Map<string, string | undefined>()
    server.intercept = ({ url, headers }) => {
      accepted.set(url?.split('?')[0] ?? '', headers.accept)
      return false
    }
    const { view } = openView(t, { kubeconfig: server.kubeconfig() }, new TestClock())
    await view.start()
    const partial = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'
    assert.deepEqual(Object.fromEntries(accepted), {
      '/api/v1/pods': 'application/json',
      '/api/v1/nodes': 'application/json',
      '/api/v1/namespaces': partial,
      '/api/v1/serviceaccounts': partial,
    })
  })

  test('of one broken cluster leaves another alone', async (t) => {
    const clock = new TestClock()
    const broken = await startServer(t)
    broken.put('pods', pod('planner-0', 'uid-in-the-broken-one'))
    broken.intercept = ({ url }, response) => {
      if (url?.startsWith('/api/v1/pods')) response.writeHead(200).end('no list')
      return url?.startsWith('/api/v1/pods') === true
    }
    const bad = openView(t, { kubeconfig: broken.kubeconfig() }, clock)
    const good = await setStage(t)
    await bad.view.start()
    assert.equal(bad.view.fresh('pods'), false)
    assert.equal(bad.view.pod('agents', 'planner-0'), undefined)
    assert.equal(bad.view.fresh('nodes'), true, 'nor do its own collections fail together')
    assert.equal(good.view.pod('agents', 'planner-0')?.uid, 'pod-uid-1')
    assert.equal(good.fresh(), true)
  })

  test('ends with its connections and timers when it is closed', async (t) => {
    const { server, clock, view } = await setStage(t)
    view.close()
    await until('no watch', () => server.openWatches === 0)
    const asked = server.requests.length
    clock.advance(600)
    assert.equal(server.requests.length, asked)
    assert.deepEqual(clock.pending(), [])
  })
})

suite('an object that the view does not have yet', () => {
  test('is asked for once by all who wait for it', async (t) => {
    const { server, view } = await setStage(t)
    // The watch lags: it does not hear of the pod.
    server.endWatches('half-open')
    server.put('pods', pod('planner-1', 'pod-uid-2'))
    const both = await Promise.all([
      view.obtainPod('agents', 'planner-1'),
      view.obtainPod('agents', 'planner-1'),
    ])
    assert.deepEqual(
      both.map((each) => each?.uid),
      ['pod-uid-2', 'pod-uid-2'],
    )
    const path = 'GET /api/v1/namespaces/agents/pods/planner-1'
    assert.equal(server.requests.filter((request) => request === path).length, 1)
    assert.equal(view.pod('agents', 'planner-1'), undefined, 'only the watch fills the view')
  })

  test('can be a node or a service account', async (t) => {
    const { server, view } = await setStage(t)
    server.put('nodes', node('node-2', 'node-uid-2'))
    assert.equal((await view.obtainNode('node-2'))?.uid, 'node-uid-2')
    assert.equal((await view.obtainServiceAccount('agents', 'planner'))?.uid, 'account-uid-1')
  })

  test('is undefined when there is none, and asked for again the next time', async (t) => {
    const { server, view } = await setStage(t)
    assert.equal(await view.obtainPod('agents', 'planner-1'), undefined)
    server.put('pods', pod('planner-1', 'pod-uid-2'))
    assert.equal((await view.obtainPod('agents', 'planner-1'))?.uid, 'pod-uid-2')
  })

  test('cannot be named so that another one is read', async (t) => {
    const { server, view } = await setStage(t)
    await view.obtainPod('agents', '../../../../api/v1/nodes/node-1?x=')
    assert.ok(server.requests.every((request) => !request.includes('nodes/node-1')))
  })

  const failures: readonly (readonly [string, number, string])[] = [
    ['a failing server', 500, '{}'],
    ['a busy server', 429, '{}'],
    ['an answer that is no JSON', 200, 'garbage'],
    ['an answer with a repeated name', 200, '{"kind":"Pod","kind":"Pod"}'],
    ['another pod', 200, JSON.stringify(pod('planner-0', 'pod-uid-1'))],
    [
      'a pod that cannot be read',
      200,
      '{"metadata":{"namespace":"agents","name":"planner-1"},"spec":7}',
    ],
  ]
  for (const [what, status, body] of failures) {
    test(`is cluster_unreachable for ${what}`, async (t) => {
      const { server, view } = await setStage(t)
      server.intercept = (_request, response) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(body)
        return true
      }
      await refused(view.obtainPod('agents', 'planner-1'), 'cluster_unreachable')
    })
  }

  test('is cluster_unreachable after five seconds, and beyond 32 at once', async (t) => {
    const { server, clock, view } = await setStage(t)
    let held = 0
    server.intercept = () => {
      held += 1
      return true
    }
    const waiting = Array.from({ length: 32 }, (_, index) =>
      refused(view.obtainPod('agents', `late-${index}`), 'cluster_unreachable'),
    )
    await until('32 requests', () => held === 32)
    const refusal = await refused(view.obtainPod('agents', 'planner-1'), 'cluster_unreachable')
    assert.match(String(refusal.detail['problem']), /already asked for/)
    clock.advance(5)
    await Promise.all(waiting)
    server.intercept = () => false
    assert.equal(await view.obtainPod('agents', 'planner-1'), undefined, 'there is room again')
  })
})
