import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { pod, setStage, until, waiting } from '../world/view.ts'

suite('a collection that is watched', () => {
  test('follows what is added, changed and deleted', async (t) => {
    const { server, view } = await setStage(t)
    server.put('pods', pod('planner-1', 'pod-uid-2'))
    await until('the new pod', () => view.pod('agents', 'planner-1')?.uid === 'pod-uid-2')
    server.put('pods', pod('planner-1', 'pod-uid-2', { status: { phase: 'Failed' } }))
    await until('its phase', () => view.pod('agents', 'planner-1')?.phase === 'Failed')
    server.remove('pods', 'agents', 'planner-1')
    await until('its end', () => view.pod('agents', 'planner-1') === undefined)
    server.remove('namespaces', undefined, 'agents')
    await until('the end of the namespace', () => view.namespace('agents') === undefined)
  })

  test('replaces a pod by another one of the same name', async (t) => {
    const { server, view } = await setStage(t)
    server.remove('pods', 'agents', 'planner-0')
    server.put('pods', pod('planner-0', 'pod-uid-9'))
    await until('the other pod', () => view.pod('agents', 'planner-0')?.uid === 'pod-uid-9')
    assert.equal(view.freshness('pods').objects, 1)
  })

  test('goes on from where it was when a watch ends as agreed', async (t) => {
    const { server, clock, view, warnings } = await setStage(t)
    clock.advance(60)
    server.bookmark()
    await until('the bookmarks', () => view.freshness('pods').ageSeconds === 0)
    server.endWatches('politely')
    server.put('pods', pod('planner-1', 'pod-uid-2'))
    await until('the new pod', () => view.pod('agents', 'planner-1') !== undefined)
    assert.equal(lists(server), 1)
    assert.deepEqual(warnings, [])
  })

  test('goes on from a bookmark although everything before it is forgotten', async (t) => {
    const { server, clock, view } = await setStage(t)
    server.compact()
    server.bookmark()
    clock.advance(60)
    server.bookmark()
    await until('the bookmarks', () => view.freshness('pods').ageSeconds === 0)
    server.endWatches('politely')
    server.put('pods', pod('planner-1', 'pod-uid-2'))
    await until('the new pod', () => view.pod('agents', 'planner-1') !== undefined)
    assert.equal(lists(server), 1)
  })

  for (const goneAs of ['event', 'status'] as const) {
    test(`is listed anew when its version has expired (410 as ${goneAs}), and is never empty meanwhile`, async (t) => {
      const { server, clock, view } = await setStage(t)
      server.goneAs = goneAs
      server.put('pods', pod('planner-1', 'pod-uid-2'))
      await until('the new pod', () => view.pod('agents', 'planner-1') !== undefined)
      server.endWatches('broken')
      await until('the pause', () => view.freshness('pods').problem !== null)
      server.remove('pods', 'agents', 'planner-1')
      server.compact()
      clock.advance(1)
      await until(
        'the second pause',
        () => view.freshness('pods').problem?.includes('410') === true,
      )
      assert.ok(view.pod('agents', 'planner-1'), 'what was known stays until the list is complete')
      clock.advance(2)
      await until('the list', () => view.pod('agents', 'planner-1') === undefined)
      assert.ok(view.pod('agents', 'planner-0'))
      assert.equal(lists(server), 2)
    })
  }

  const garbage: readonly (readonly [string, string])[] = [
    ['no JSON', 'garbage'],
    ['no object', '[]'],
    ['an event of no object', '{"type":"ADDED","object":null}'],
    [
      'an object without a name',
      '{"type":"ADDED","object":{"metadata":{"resourceVersion":"200"}}}',
    ],
    ['an object without a version', '{"type":"ADDED","object":{"metadata":{"name":"x"}}}'],
    [
      'an event of another type',
      '{"type":"RENAMED","object":{"metadata":{"name":"x","resourceVersion":"200"}}}',
    ],
    ['an error without a code', '{"type":"ERROR","object":{}}'],
    ['an error', '{"type":"ERROR","object":{"code":500}}'],
  ]
  for (const [what, line] of garbage) {
    test(`is listed anew after ${what}, which lost an event`, async (t) => {
      const { server, clock, view } = await setStage(t)
      server.say(line)
      await until('the problem', () => view.freshness('pods').problem !== null)
      assert.ok(view.pod('agents', 'planner-0'))
      clock.advance(1)
      await until('the list', () => lists(server) === 2)
    })
  }

  test('ends a line without end, and is listed anew', async (t) => {
    const { server, clock, view } = await setStage(t)
    server.say('x'.repeat(5 * 1024 * 1024))
    await until('the problem', () => view.freshness('pods').problem !== null)
    assert.match(String(view.freshness('pods').problem), /more than 4194304 bytes/)
    clock.advance(1)
    await until('the list', () => lists(server) === 2 || view.freshness('pods').problem === null)
  })

  test('forgets an object that can no longer be read, and says how many there are', async (t) => {
    const { server, view } = await setStage(t)
    server.put('pods', pod('planner-0', 'pod-uid-1', { spec: { containers: 'none' } }))
    await until('its end', () => view.pod('agents', 'planner-0') === undefined)
    assert.equal(view.freshness('pods').problem, '1 objects cannot be read')
    assert.equal(view.fresh('pods'), true)
    server.put('pods', pod('planner-0', 'pod-uid-1'))
    await until('its return', () => view.pod('agents', 'planner-0') !== undefined)
    assert.equal(view.freshness('pods').problem, null)
  })

  test('is not known at all beyond its limit of objects', async (t) => {
    const { server, clock, view, fresh } = await setStage(t, { maxObjects: { pods: 2 } })
    server.put('pods', pod('planner-1', 'pod-uid-2'))
    server.put('pods', pod('planner-2', 'pod-uid-3'))
    await until('the problem', () => view.freshness('pods').problem !== null)
    assert.equal(fresh(), false)
    assert.equal(view.pod('agents', 'planner-0'), undefined)
    server.remove('pods', 'agents', 'planner-2')
    clock.advance(1)
    await until('the list', () => fresh())
    assert.equal(view.freshness('pods').objects, 2)
  })
})

suite('the age of a collection', () => {
  test('is told by bookmarks, and 120 silent seconds end it', async (t) => {
    const { server, clock, view, fresh } = await setStage(t)
    for (let minute = 0; minute < 4; minute += 1) {
      clock.advance(60)
      assert.equal(view.freshness('pods').ageSeconds, 60)
      server.bookmark()
      await until('the bookmarks', () => view.freshness('pods').ageSeconds === 0)
    }
    server.intercept = (_request, response) => {
      response.destroy()
      return true
    }
    server.endWatches('broken')
    clock.advance(120)
    assert.equal(fresh(), true)
    clock.advance(0.001)
    assert.equal(fresh(), false)
    assert.ok(view.pod('agents', 'planner-0'), 'it is there, and nobody may believe it')
  })

  test('is limited as the caller says', async (t) => {
    const { clock, fresh } = await setStage(t, { staleAfterSeconds: 30 })
    clock.advance(30)
    assert.equal(fresh(), true)
    clock.advance(0.001)
    assert.equal(fresh(), false)
  })

  test('survives a half-open connection: after 90 silent seconds there is a new one', async (t) => {
    const { server, clock, view, fresh, warnings } = await setStage(t)
    server.put('pods', pod('planner-1', 'pod-uid-2'))
    await until('the new pod', () => view.pod('agents', 'planner-1') !== undefined)
    server.endWatches('half-open')
    server.remove('pods', 'agents', 'planner-1')
    clock.advance(90)
    await until('the end of the pod', () => view.pod('agents', 'planner-1') === undefined)
    assert.equal(lists(server), 1, 'it went on from the same version')
    assert.equal(fresh(), true)
    assert.deepEqual(warnings, [], 'a quiet collection is no problem')
  })

  test('is not renewed by a watch that says nothing at all: after it there is a list', async (t) => {
    const { server, clock, view, fresh } = await setStage(t)
    server.endWatches('half-open')
    server.forbidden.add('list pods')
    clock.advance(90)
    await until('the problem', () => view.freshness('pods').problem !== null)
    assert.equal(lists(server), 2)
    clock.advance(30)
    assert.equal(fresh(), true)
    clock.advance(0.001)
    assert.equal(fresh(), false)
  })

  test('is not renewed by watches that end as soon as they begin', async (t) => {
    const { server, clock, view, warnings } = await setStage(t)
    server.intercept = ({ url }, response) => {
      if (url?.includes('watch=1'))
        response.writeHead(200, { 'content-type': 'application/json' }).end()
      return url?.includes('watch=1') === true
    }
    server.endWatches('politely')
    await until('the problem', () => view.freshness('pods').problem !== null)
    assert.match(String(view.freshness('pods').problem), /as soon as it had begun/)
    for (const [attempt, seconds] of [1, 1.5, 3].entries()) {
      await until('the pauses', () => waiting(clock, seconds))
      clock.advance(seconds)
      await until('the list', () => lists(server) === attempt + 2)
    }
    assert.equal(warnings.filter((warning) => warning.startsWith('pods')).length, 1, 'told once')
  })
})

/** How often the pods were listed from the start. */
function lists({ requests }: { readonly requests: readonly string[] }): number {
  return requests.filter((request) => request === 'GET /api/v1/pods?limit=500').length
}
