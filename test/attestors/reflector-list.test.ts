import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import type { ClusterViewOptions } from '../../attestors/kubernetes/clusterview.ts'
import { TestClock } from '../world/clock.ts'
import { openView, pod, startServer, until, waiting } from '../world/view.ts'

const PODS = 1_001

/** A server with many pods and a view that has not been started. */
async function setLargeStage(t: TestContext, options: Partial<ClusterViewOptions> = {}) {
  const server = await startServer(t)
  for (let index = 1; index < PODS; index += 1) {
    server.put('pods', pod(`planner-${index}`, `pod-uid-${index}`))
  }
  const clock = new TestClock()
  const stage = openView(t, { kubeconfig: server.kubeconfig() }, clock, options)
  const pages = () =>
    server.requests.filter((request) => request.startsWith('GET /api/v1/pods?limit'))
  return { server, clock, pages, ...stage }
}

suite('a list of many pages', () => {
  test('is read page by page', async (t) => {
    const { view, pages } = await setLargeStage(t)
    await view.start()
    assert.equal(view.freshness('pods').objects, PODS)
    assert.deepEqual(pages(), [
      'GET /api/v1/pods?limit=500',
      'GET /api/v1/pods?limit=500&continue=token%2B0%2F%3D',
      'GET /api/v1/pods?limit=500&continue=token%2B1%2F%3D',
    ])
  })

  test('is watched from its version: what changed between the pages is not lost', async (t) => {
    const { server, view } = await setLargeStage(t)
    server.intercept = ({ url }) => {
      if (url?.includes('token%2B1')) {
        server.intercept = () => false
        server.remove('pods', 'agents', 'planner-0')
        server.put('pods', pod('planner-1', 'another-uid'))
      }
      return false
    }
    await view.start()
    await until('the change', () => view.pod('agents', 'planner-1')?.uid === 'another-uid')
    assert.equal(view.pod('agents', 'planner-0'), undefined)
  })

  test('begins anew when its continue token has expired', async (t) => {
    const { server, clock, view, pages } = await setLargeStage(t)
    server.intercept = ({ url }) => {
      if (url?.includes('token%2B1')) {
        server.intercept = () => false
        server.compact()
      }
      return false
    }
    await view.start()
    assert.equal(view.freshness('pods').synced, false)
    assert.equal(view.freshness('pods').objects, 0, 'half a list is none')
    assert.match(String(view.freshness('pods').problem), /answered 410/)
    clock.advance(1)
    await until('the list', () => view.freshness('pods').objects === PODS)
    assert.deepEqual(pages()[3], 'GET /api/v1/pods?limit=500')
  })

  test('is not read beyond the limit of objects', async (t) => {
    const { view, pages, warnings } = await setLargeStage(t, { maxObjects: { pods: 600 } })
    await view.start()
    assert.equal(view.fresh('pods'), false)
    assert.equal(view.freshness('pods').objects, 0)
    assert.deepEqual(warnings, ['pods: there are more than 600 of them, which is the limit'])
    assert.equal(pages().length, 2)
  })

  test('counts the age from its first page', async (t) => {
    const { server, clock, view } = await setLargeStage(t)
    server.forbidden.add('watch pods')
    server.intercept = ({ url }) => {
      if (url?.includes('token%2B1')) clock.advance(10)
      return false
    }
    await view.start()
    assert.equal(view.freshness('pods').ageSeconds, 10)
  })
})

suite('a list that cannot be read', () => {
  const answers: readonly (readonly [string, number, string, RegExp])[] = [
    ['garbage', 200, 'garbage', /something other than a list/],
    ['no version', 200, '{"metadata":{},"items":[]}', /without a resourceVersion/],
    ['a version that is no text', 200, '{"metadata":{"resourceVersion":7}}', /without a resource/],
    ['a strange version', 200, '{"metadata":{"resourceVersion":"7&x=1"}}', /without a resource/],
    [
      'an empty page that goes on',
      200,
      '{"metadata":{"resourceVersion":"7","continue":"x"},"items":[]}',
      /an empty page of a list goes on/,
    ],
    ['a redirect', 302, '', /redirects are not followed/],
    ['a failure', 500, '{}', /answered 500/],
  ]
  for (const [what, status, body, message] of answers) {
    test(`for ${what} leaves the collection unknown, and says why`, async (t) => {
      const server = await startServer(t)
      server.intercept = (_request, response) => {
        const headers = { 'content-type': 'application/json', location: '/elsewhere' }
        response.writeHead(status, headers).end(body)
        return true
      }
      const { view } = openView(t, { kubeconfig: server.kubeconfig() }, new TestClock())
      await view.start()
      assert.equal(view.fresh('pods'), false)
      assert.match(String(view.freshness('pods').problem), message)
    })
  }

  test('but for some objects has the others, and says how many are missing', async (t) => {
    const server = await startServer(t)
    const items = [{}, 'x', { metadata: { name: 7 } }].map((metadata) => ({ metadata }))
    const list = { metadata: { resourceVersion: '7' }, items: [...items, pod('good', 'uid')] }
    server.intercept = ({ url }, response) => {
      if (!url?.startsWith('/api/v1/pods?limit')) return false
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(list))
      return true
    }
    server.forbidden.add('watch pods')
    const { view } = openView(t, { kubeconfig: server.kubeconfig() }, new TestClock())
    await view.start()
    assert.equal(view.pod('agents', 'good')?.uid, 'uid')
    assert.match(String(view.freshness('pods').problem), /^3 objects cannot be read$|403/)
  })

  test('is tried again after 1 s, then ever more rarely, each problem told once', async (t) => {
    const server = await startServer(t)
    for (const collection of ['nodes', 'namespaces', 'serviceaccounts']) {
      server.forbidden.add(`watch ${collection}`)
    }
    server.forbidden.add('list pods')
    const clock = new TestClock()
    const { view, warnings } = openView(t, { kubeconfig: server.kubeconfig() }, clock)
    await view.start()
    const tried = () => server.requests.filter((each) => each.startsWith('GET /api/v1/pods')).length
    // Half of 1, 2, 4 … 30 s, and half of the other half by chance; never less than 1 s.
    for (const [attempt, seconds] of [1, 1.5, 3, 6, 12, 22.5, 22.5].entries()) {
      await until('the pauses', () => waiting(clock, seconds))
      assert.equal(tried(), attempt + 1)
      clock.advance(seconds - 0.001)
      assert.equal(tried(), attempt + 1)
      clock.advance(0.001)
      await until('another attempt', () => tried() === attempt + 2)
    }
    const told = warnings.filter((warning) => warning.startsWith('pods'))
    assert.equal(told.length, 1)
    assert.match(told[0] ?? '', /403; Countersign needs list on pods \(RBAC\)/)
  })
})
