/** A real API server's lists, watches and bookmarks, and what a view makes of them. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setInterval } from 'node:timers/promises'
import type { ClusterApiError } from '../../attestors/kubernetes/api.ts'
import { clusterApi } from '../../attestors/kubernetes/client.ts'
import { clusterView } from '../../attestors/kubernetes/clusterview.ts'
import { pageOf, readEvent } from '../../attestors/kubernetes/event.ts'
import { COLLECTIONS } from '../../attestors/kubernetes/view.ts'
import { createDoor } from '../../src/net/fetch.ts'
import { systemTimers } from '../../src/net/timers.ts'
import { PROJECTIONS } from '../world/view.ts'
import { cluster } from './environment.ts'
import { Namespace } from './namespace.ts'

const JSON_TYPE = 'application/json'
const PATIENCE_MS = 30_000
/** The API server sends a bookmark about two seconds before a watch ends, if anything has changed since its start. */
const SHORT_WATCH_SECONDS = 5

const world = { door: createDoor(), timers: systemTimers, now: Date.now }
const api = clusterApi({ kubeconfig: cluster.kubeconfig }, world)
const { signal } = new AbortController()

/** Waits for what the cluster will do. @throws AssertionError after half a minute */
async function until(what: string, condition: () => boolean): Promise<number> {
  const begun = performance.now()
  if (condition()) return 0
  for await (const _ of setInterval(5)) {
    const passed = performance.now() - begun
    if (condition()) return passed
    assert.ok(passed < PATIENCE_MS, `it did not come to pass: ${what}`)
  }
  assert.fail('unreachable')
}

/** Reads a collection page by page. */
async function readAll(path: string, limit: number) {
  const items: string[] = []
  let pages = 0
  let query = `limit=${limit}`
  for (;;) {
    const onItem = (text: string) => void items.push(text)
    const page = pageOf(await api.list(`${path}?${query}`, { onItem, accept: JSON_TYPE, signal }))
    pages += 1
    if (page.next === null) return { items, pages, version: page.version }
    query = `limit=${limit}&continue=${encodeURIComponent(page.next)}`
  }
}

suite('the API server', () => {
  test('gives the same objects in pages of two as in one', async () => {
    const path = '/api/v1/namespaces'
    const names = ({ items }: { items: readonly string[] }) =>
      items.map((text) => JSON.parse(text).metadata.name as string)
    const small = await readAll(path, 2)
    assert.ok(small.pages >= 2, `${small.pages} pages`)
    assert.equal(small.pages, Math.ceil(small.items.length / 2))
    assert.ok(names(await readAll(path, 500)).includes('kube-system'))
    assert.ok(names(small).includes('kube-system'))
  })

  test('sends a bookmark after a change, and ends a watch when it said it would', async (t) => {
    const namespace = await Namespace.open(t, cluster, ['planner'])
    const path = `/api/v1/namespaces/${namespace.name}/serviceaccounts`
    const { version } = await readAll(path, 500)
    const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${version}`
    const types: string[] = []
    let created: Promise<void> | undefined
    const end = await api.watch(`${path}?${query}&timeoutSeconds=${SHORT_WATCH_SECONDS}`, {
      accept: JSON_TYPE,
      signal,
      silenceMs: PATIENCE_MS,
      onOpen() {
        created = namespace.create({
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: { name: 'writer' },
        })
      },
      onLine: (line) => void types.push(readEvent(line).type),
    })
    await created
    assert.equal(end, 'ended')
    assert.ok(types.includes('put'))
    assert.equal(types.at(-1), 'bookmark')
  })

  test('says that a version has expired, by status or by event', async (t) => {
    const watching = { accept: JSON_TYPE, signal, silenceMs: PATIENCE_MS, onOpen() {} }
    const onLine = (line: string) => void readEvent(line)
    const path = '/api/v1/pods?watch=1&resourceVersion=1&timeoutSeconds=5'
    const failed = await api.watch(path, { ...watching, onLine }).then(
      () => null,
      (error: unknown) => error,
    )
    if (failed === null) t.skip('this API server is young: it still has its whole history')
    else assert.equal((failed as ClusterApiError).status, 410)
  })
})

test('a view of the cluster follows a pod from its start to its end', async (t) => {
  const namespace = await Namespace.open(t, cluster, ['planner'])
  const problems: string[] = []
  const warn = (detail: object) => void problems.push(JSON.stringify(detail))
  const view = clusterView({ api, project: PROJECTIONS, warn, ...world })
  t.after(() => view.close())
  await view.start()
  for (const collection of COLLECTIONS) {
    assert.equal(view.fresh(collection), true, collection)
    assert.ok(view.freshness(collection).objects > 0, collection)
  }
  const [pod] = await namespace.run({ name: 'planner-0', account: 'planner', tokens: {} })
  assert.ok(pod)
  const find = () => view.pod(namespace.name, 'planner-0')
  await until('the pod', () => find()?.phase === 'Running')
  const { metadata, spec } = pod.stored
  assert.equal(find()?.uid, metadata.uid)
  assert.equal(find()?.node, spec.nodeName)
  assert.ok(view.node(spec.nodeName ?? ''))
  assert.equal((await view.obtainPod(namespace.name, 'planner-0'))?.uid, metadata.uid)
  assert.equal(await view.obtainPod(namespace.name, 'planner-1'), undefined)
  const account = await namespace.get('serviceaccount/planner')
  assert.equal(view.serviceAccount(namespace.name, 'planner')?.uid, account.metadata.uid)

  await namespace.kubectl('delete', 'pod', 'planner-0', '--wait=false')
  const marked = await until('the deletion', () => find()?.deletionAt !== null)
  t.diagnostic(`seen as being deleted ${marked.toFixed(0)} ms after kubectl returned`)
  await until('the end of the pod', () => find() === undefined)
  assert.deepEqual(problems, [])
})
