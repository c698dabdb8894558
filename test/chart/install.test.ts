/** From nothing to a token on a real cluster, with nothing but an issuer; and what is left when it goes. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CHART, helm, render } from './helm.ts'
import { clusterWithImage, paste, Release, withoutCluster } from './release.ts'

const skip = withoutCluster()

/** Longer than it takes, on a machine that does much else. The time itself is printed. */
const START_MS = 30_000

test('helm install with nothing but an issuer', { skip }, async (t) => {
  const release = await Release.prepare(t)
  await release.apply('install')

  await t.test('the pod is restricted, and starts quickly', async (t) => {
    const { wall, cpu } = await startTimes(release)
    t.diagnostic(`process start to listening: ${wall} ms; processor time since then: ${cpu} ms`)
    assert.ok(wall < START_MS)
  })

  await t.test('the broker has nothing to say against its settings', async () => {
    const log = await release.log()
    assert.doesNotMatch(log, /warning|error|"level":[4-6]0/)
    const problems = await release.exec(
      'node',
      '/app/dist/src/cli.js',
      'check',
      '--config',
      '/etc/countersign/countersign.yaml',
    )
    assert.equal(problems, '')
  })

  await t.test('doctor in the pod finds nothing wrong', async () => {
    const config = '/etc/countersign/countersign.yaml'
    const found = await release.exec('node', '/app/dist/src/cli.js', 'doctor', '--config', config)
    assert.doesNotMatch(found, /^(warning|wrong)/m, found)
    assert.match(found, /^ok +issuer https:/m)
  })

  await t.test('it may read what it watches, and nothing else', async () => {
    const may = async (...what: readonly string[]) => {
      const account = `system:serviceaccount:${release.namespace.name}:countersign`
      const args = ['auth', 'can-i', ...what, '--all-namespaces', '--as', account]
      return (await release.namespace.cluster.kubectl(args).catch(() => 'no')).trim()
    }
    for (const kind of ['pods', 'nodes', 'namespaces', 'serviceaccounts']) {
      for (const verb of ['get', 'list', 'watch']) assert.equal(await may(verb, kind), 'yes')
    }
    for (const what of [
      ['get', 'secrets'],
      ['list', 'configmaps'],
      ['create', 'pods'],
      ['create', 'tokenreviews.authentication.k8s.io'],
      ['create', 'serviceaccounts', '--subresource=token'],
      ['create', 'pods', '--subresource=exec'],
      ['get', 'pods', '--subresource=log'],
    ]) {
      assert.equal(await may(...what), 'no', what.join(' '))
    }
  })

  await t.test('helm test: both probers pass', async (t) => {
    const { code, out, err } = await release.test()
    assert.equal(code, 0, `${out}\n${err}`)
    assert.match(out, /^all 7 hold$/m)
    assert.match(out, /^all 23 hold$/m)
    t.diagnostic(`${out.match(/^ok /gm)?.length} checks in two pods`)
  })

  await t.test('the line that NOTES print gets a token', async () => {
    const line = release.notes
      .split('\n')
      .find((each) => each.trim().startsWith('kubectl') && each.includes(' run '))
    assert.ok(line)
    const token = paste(line).trim()
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    assert.equal(claims.iss, release.issuer)
    assert.equal(claims.sub, `k8s://in-cluster/ns/${release.namespace.name}/sa/countersign-probe`)
  })

  await t.test('an upgrade keeps what encrypts keys, and the certificate', async () => {
    const secrets = () =>
      release.namespace.kubectl(
        'get',
        'secret',
        'countersign-keys',
        'countersign-tls',
        '-o=jsonpath={.items[*].data}',
      )
    const before = await secrets()
    await release.apply('upgrade', { config: { audit: { retention: '1d' } } })
    assert.equal(await secrets(), before)
    assert.equal((await release.test()).code, 0)
  })

  await t.test('uninstall leaves only what is marked keep', async () => {
    const { code, err } = await release.uninstall()
    assert.equal(code, 0, err)
    await release.gone()
    assert.deepEqual(await release.objects(), ['secret/countersign-keys'])
  })

  await t.test('and an install after it takes up what was kept', async () => {
    await release.apply('install')
    assert.equal((await release.test()).code, 0)
  })
})

/** Milliseconds from the start of the container's process to its first listener; and of processor time until now. */
async function startTimes(
  release: Release,
): Promise<{ readonly wall: number; readonly cpu: number }> {
  // In the pod, by the kernel's clock, in hundredths of a second: proc(5), /proc/pid/stat (14), (15), (22).
  const script = `const fs = require('node:fs')
    const [up] = fs.readFileSync('/proc/uptime', 'utf8').split(' ')
    const fields = fs.readFileSync('/proc/1/stat', 'utf8').replace(/^.*\\) /, '').split(' ').map(Number)
    const [user, system, start] = [fields[11], fields[12], fields[19]]
    console.log(JSON.stringify([Date.now() - (Number(up) - start / 100) * 1000, (user + system) * 10]))`
  const [began, cpu] = JSON.parse(await release.exec('node', '-e', script))
  const [, listening = ''] =
    /"time":"([^"]+)","msg":"Server listening/.exec(await release.log()) ?? []
  return { wall: Math.round(Date.parse(listening) - began), cpu }
}

test('the API server takes every kind that it knows', { skip }, async (t) => {
  const cluster = await clusterWithImage()
  const kinds = await cluster.kubectl(['api-resources', '--no-headers'])
  const objects = await render({
    database: { existingSecret: 'db' },
    replicas: 2,
    podDisruptionBudget: { enabled: true },
    autoscaling: { enabled: true },
    networkPolicy: {
      enabled: true,
      egress: [{ ports: [{ port: 5432 }] }],
      metricsFrom: [{ podSelector: {} }],
    },
    metrics: {
      readers: ['monitoring/prometheus'],
      serviceMonitor: { enabled: true },
      prometheusRule: { enabled: true },
      dashboard: { enabled: true },
    },
    tls: { mode: 'certManager', certManager: { issuerRef: { name: 'x' } } },
  })
  const known = new RegExp(`\\s(${[...new Set(objects.map(({ kind }) => kind))].join('|')})$`, 'gm')
  const served = new Set([...kinds.matchAll(known)].map(([, kind]) => kind))
  // A pod is taken only where its service account is: the test above has run both.
  for (const object of objects.filter(({ kind }) => served.has(kind) && kind !== 'Pod')) {
    const args = ['create', '--dry-run=server', '--validate=strict', '-n', 'default', '-f', '-']
    const { namespace: _, ...metadata } = object['metadata']
    await cluster.kubectl(args, JSON.stringify({ ...object, metadata }))
  }
  const unserved = new Set(objects.map(({ kind }) => kind).filter((kind) => !served.has(kind)))
  t.diagnostic(`taken: ${[...served].sort().join(', ')}`)
  for (const kind of unserved)
    t.diagnostic(`not run: ${kind} is rendered only; this cluster does not know it`)
  const classes = await cluster.kubectl(['get', 'storageclass', '-o=name'])
  if (classes === '') t.diagnostic('not run: persistence is rendered only; no storage class')
  t.diagnostic(
    'not run: NetworkPolicy is taken by the API server; whether it is enforced depends on the network plug-in',
  )
  t.diagnostic(
    'not run: HorizontalPodAutoscaler is taken by the API server; it scales only where there are metrics of pods',
  )
  assert.ok(served.has('Deployment'))
})

test('a typo stops an install before anything of it exists', { skip }, async (t) => {
  const release = await Release.prepare(t)
  const { code, err } = await helm([
    'install',
    'countersign',
    CHART,
    '--namespace',
    release.namespace.name,
    '--set',
    'isuer=x',
  ])
  assert.notEqual(code, 0)
  assert.match(err, /additional properties 'isuer' not allowed/)
  assert.deepEqual(await release.objects(), [])
})
