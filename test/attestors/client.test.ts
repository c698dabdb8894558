import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { ClusterApiError } from '../../attestors/kubernetes/api.ts'
import { clusterApi } from '../../attestors/kubernetes/client.ts'
import type { ApiSettings } from '../../attestors/kubernetes/credentials.ts'
import { createDoor } from '../../src/net/fetch.ts'
import { API_TOKEN, FakeApiServer, type KubeconfigDraft } from '../world/apiserver.ts'
import { selfSigned } from '../world/certificate.ts'
import { TestClock } from '../world/clock.ts'
import { scratch } from '../world/scratch.ts'
import { startServer, until } from '../world/view.ts'

const NODE = '/api/v1/nodes/node-1'
const TLS = selfSigned('localhost')

function open(settings: ApiSettings) {
  const clock = new TestClock()
  const { timers, now } = clock
  return { clock, api: clusterApi(settings, { door: createDoor({ timers }), timers, now }) }
}

/** A server over TLS with one node. */
async function secureServer(t: TestContext): Promise<FakeApiServer> {
  const server = await new FakeApiServer(TLS).listen()
  t.after(() => server.close())
  server.put('nodes', { metadata: { name: 'node-1', uid: 'node-uid-1' } })
  return server
}

async function fails(work: Promise<unknown>, message: RegExp, status: number | null = null) {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof ClusterApiError, String(error))
    assert.match(error.message, message)
    assert.equal(error.status, status)
    return true
  })
}

suite('the client of an API server', () => {
  test('goes over TLS that the kubeconfig’s authority signed', async (t) => {
    const server = await secureServer(t)
    const { api } = open({ kubeconfig: server.kubeconfig() })
    const { metadata } = await api.get(NODE)
    assert.equal((metadata as { uid: string }).uid, 'node-uid-1')
  })

  const settings: readonly (readonly [string, (draft: KubeconfigDraft) => void, RegExp])[] = [
    [
      'insecure-skip-tls-verify',
      ({ cluster }) => void Object.assign(cluster, { 'insecure-skip-tls-verify': true }),
      /^api\.kubeconfig \S+: insecure-skip-tls-verify is not obeyed; give certificate-authority/,
    ],
    [
      'a proxy',
      ({ cluster }) => void Object.assign(cluster, { 'proxy-url': 'http://127.0.0.1:1' }),
      /proxy-url is not obeyed/,
    ],
    ['another user to act as', ({ user }) => void Object.assign(user, { as: 'admin' }), /`as` is/],
    [
      'a password',
      ({ user }) => void Object.assign(user, { username: 'admin', password: 'secret' }),
      /a user name with a password is not a login/,
    ],
    [
      'an authority that cannot be read',
      ({ cluster }) => void Object.assign(cluster, { 'certificate-authority': '/missing/ca.crt' }),
      /^api\.kubeconfig .*ENOENT.*\/missing\/ca\.crt/,
    ],
    [
      'another authority',
      ({ cluster }) => {
        const other = Buffer.from(selfSigned('localhost').cert).toString('base64')
        Object.assign(cluster, { 'certificate-authority-data': other })
      },
      /no trusted connection to https:\/\/localhost/,
    ],
    [
      'a server that is no URL',
      ({ cluster }) => void Object.assign(cluster, { server: 'nowhere' }),
      /its server nowhere is no URL/,
    ],
    [
      'a context that is not there',
      (draft) => {
        draft.current = 'other'
      },
      /current-context other: no such context, .*; contexts: fake/,
    ],
    [
      'a login command that is not there',
      (draft) => {
        const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: '/missing/login' }
        draft.user = { exec }
      },
      /^api\.kubeconfig .*\/missing\/login/,
    ],
  ]
  for (const [what, change, message] of settings) {
    test(`refuses a kubeconfig with ${what}, by name`, async (t) => {
      const server = await secureServer(t)
      const { api } = open({ kubeconfig: server.kubeconfig(change) })
      await fails(api.get(NODE), message)
      assert.deepEqual(server.requests, [])
    })
  }

  test('names the setting when there is no such context, file or pod', async (t) => {
    const server = await secureServer(t)
    const kubeconfig = server.kubeconfig()
    await fails(open({ kubeconfig, context: 'prod' }).api.get(NODE), /api\.context prod: no such/)
    writeFileSync(kubeconfig, 'clusters: [{')
    await fails(open({ kubeconfig }).api.get(NODE), /^api\.kubeconfig \S+: is no kubeconfig: /)
    writeFileSync(kubeconfig, '7')
    await fails(open({ kubeconfig }).api.get(NODE), /current-context is not set.*contexts: none/)
    rmSync(kubeconfig)
    await fails(open({ kubeconfig }).api.get(NODE), /^api\.kubeconfig .*ENOENT/)
    await fails(open({ inCluster: true }).api.get(NODE), /^api\.inCluster: /)
  })

  test('reads credentials again, once, when they are not accepted', async (t) => {
    const server = await secureServer(t)
    const { api } = open({ kubeconfig: server.kubeconfig() })
    await api.get(NODE)
    server.tokens.clear()
    server.tokens.add('rotated-token')
    server.kubeconfig(({ user }) => void Object.assign(user, { token: 'rotated-token' }))
    await api.get(NODE)
    assert.equal(server.requests.length, 3)
    server.tokens.clear()
    await fails(
      api.get(NODE),
      /401 \(it does not accept our login; look at the user in `api`\)/,
      401,
    )
    assert.equal(server.requests.length, 5)
  })

  test('sees a changed kubeconfig after a minute, and at once after a failure', async (t) => {
    const [old, next] = [await secureServer(t), await secureServer(t)]
    const kubeconfig = old.kubeconfig()
    const { clock, api } = open({ kubeconfig })
    await api.get(NODE)
    const moved = ({ cluster }: KubeconfigDraft) => {
      Object.assign(cluster, { server: `https://localhost:${next.port}` })
    }
    old.kubeconfig(moved)
    await api.get(NODE)
    assert.equal(next.requests.length, 0)
    clock.advance(60)
    await api.get(NODE)
    assert.equal(next.requests.length, 1)
    old.kubeconfig()
    await fails(api.get('/api/v1/nodes/none'), /404 for nodes/, 404)
    await api.get(NODE)
    assert.equal(old.requests.length, 3)
  })

  const permissions: readonly (readonly [string, string, RegExp])[] = [
    ['list pods', '/api/v1/pods?limit=500', /403; Countersign needs list on pods \(RBAC\)$/],
    ['watch nodes', '/api/v1/nodes?watch=1', /403; Countersign needs watch on nodes/],
    ['get pods', '/api/v1/namespaces/a/pods/b', /403; Countersign needs get on pods/],
    ['get namespaces', '/api/v1/namespaces/a', /403; Countersign needs get on namespaces/],
  ]
  for (const [permission, path, message] of permissions) {
    test(`says that it may not ${permission}`, async (t) => {
      const server = await startServer(t)
      server.forbidden.add(permission)
      const { api } = open({ kubeconfig: server.kubeconfig() })
      const { signal } = new AbortController()
      const reading = { accept: 'application/json', signal, onOpen() {}, silenceMs: 1_000 }
      if (permission.startsWith('list'))
        await fails(api.list(path, { ...reading, onItem() {} }), message, 403)
      else if (permission.startsWith('watch'))
        await fails(api.watch(path, { ...reading, onLine() {} }), message, 403)
      else await fails(api.get(path), message, 403)
    })
  }

  test('gives up on a server that hangs: a request, a page and a watch', async (t) => {
    const server = await startServer(t)
    let held = 0
    server.intercept = () => {
      held += 1
      return true
    }
    const { clock, api } = open({ kubeconfig: server.kubeconfig() })
    const { signal } = new AbortController()
    const reading = { accept: 'application/json', signal, onOpen() {}, silenceMs: 90_000 }
    const asked = fails(api.get(NODE), /did not answer within 5000 ms/)
    const listed = fails(api.list('/api/v1/pods', { ...reading, onItem() {} }), /within 15000 ms/)
    const watched = fails(api.watch('/api/v1/pods', { ...reading, onLine() {} }), /within 15000 ms/)
    await until('three requests', () => held === 3)
    clock.advance(15)
    await Promise.all([asked, listed, watched])
  })

  test('gives up on a page that trickles for longer than a minute', async (t) => {
    const server = await startServer(t)
    const trickle: ((text: string) => void)[] = []
    server.intercept = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      trickle.push((text) => response.write(text))
      return true
    }
    const { clock, api } = open({ kubeconfig: server.kubeconfig() })
    const { signal } = new AbortController()
    let items = 0
    const onItem = () => {
      items += 1
    }
    const listing = { accept: 'application/json', signal, onItem }
    const listed = fails(api.list('/api/v1/pods', listing), /a page took longer than 60 s/)
    await until('the request', () => trickle.length === 1)
    trickle[0]?.('{"items":[{}')
    for (let seconds = 0; seconds < 60; seconds += 12) {
      await until('an item', () => items === seconds / 12 + 1)
      trickle[0]?.(',{}')
      clock.advance(12)
    }
    await listed
  })

  test('reads the token of its own pod, and the new one when the kubelet has replaced it', async (t) => {
    const server = await secureServer(t)
    const { folder, rotate } = podOf(t)
    const timers = new TestClock().timers
    const door = createDoor({ timers })
    let now = 0
    const world = {
      door,
      timers,
      now: () => now,
      pod: { folder, server: `https://localhost:${server.port}` },
    }
    const api = clusterApi({ inCluster: true }, world)
    await api.get(NODE)
    server.tokens.clear()
    server.tokens.add('rotated-token')
    await fails(api.get(NODE), /401/, 401)
    rotate('rotated-token')
    await api.get(NODE)
    server.tokens.add('next-token')
    rotate('next-token')
    now += 60_000
    const before = server.requests.length
    server.tokens.delete('rotated-token')
    await api.get(NODE)
    assert.equal(server.requests.length, before + 1, 'read again by itself, before it was refused')
  })
})

/** The files of a pod in the cluster of a server. */
function podOf(t: TestContext) {
  const folder = scratch(t)
  const rotate = (token: string) => writeFileSync(join(folder, 'token'), token)
  writeFileSync(join(folder, 'ca.crt'), TLS.cert)
  rotate(API_TOKEN)
  return { folder, rotate }
}
