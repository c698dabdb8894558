import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { FakeApiServer } from '../world/apiserver.ts'
import { TestClock } from '../world/clock.ts'
import { FakeCluster } from '../world/cluster.ts'
import { serveTrust } from '../world/home.ts'
import { scratch } from '../world/scratch.ts'
import { homeNode, plannerPod } from '../world/workload.ts'
import { start } from './cli.ts'

/** A configuration that names one cluster and how to reach it. */
async function setStage(t: TestContext) {
  const server = await new FakeApiServer().listen()
  const issuer = { clock: new TestClock(), audience: 'unused', issuer: 'https://own.example' }
  const cluster = await new FakeCluster(issuer).listen()
  t.after(() => Promise.all([server.close(), cluster.close()]))
  const trust = serveTrust(server, cluster)
  server.put('pods', plannerPod())
  server.put('nodes', homeNode())
  const folder = scratch(t)
  const config = join(folder, 'countersign.yaml')
  const settings = {
    issuer: 'http://127.0.0.1:1',
    listen: { host: '127.0.0.1', port: 1 },
    store: { sqlite: ':memory:' },
    trust: [{ kubernetes: { cluster: 'home', api: { kubeconfig: server.kubeconfig() } } }],
    resources: [{ audience: 'https://mcp.example.com', scopes: ['trades:read'] }],
    policies: { path: '.' },
  }
  writeFileSync(config, JSON.stringify(settings))
  const doctor = async () => {
    const { out, err } = await start(t, 'doctor', '--config', config).finished
    assert.equal(err, '')
    return out
  }
  return { server, trust, doctor }
}

test('doctor: says of each collection of a cluster how it is, and which permission is missing', async (t) => {
  const { server, doctor } = await setStage(t)
  server.forbidden.add('list nodes')
  const out = await doctor()
  assert.match(out, /^ok +cluster kubernetes:home, pods: 1 known$/m)
  assert.match(out, /^wrong +cluster kubernetes:home, nodes: .*needs list on nodes \(RBAC\)$/m)
  assert.match(out, /^ +Needs get, list and watch on nodes \(core API group, whole cluster\)/m)
  assert.match(out, /^wrong +trust kubernetes:home: the cluster is not known yet$/m)
})

test('doctor: says why the issuer of a cluster is not known', async (t) => {
  const { trust, doctor } = await setStage(t)
  trust.document = null
  const out = await doctor()
  assert.match(out, /^wrong +trust kubernetes:home: issuer not known yet: .*404/m)
})
