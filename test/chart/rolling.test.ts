/** Two replicas on PostgreSQL: an upgrade and a key rotation under load, and nobody notices. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { Namespace } from '../cluster/namespace.ts'
import { startPostgres } from '../postgres/server.ts'
import { startLoad, type Tally } from './load.ts'
import { Release, withoutCluster } from './release.ts'

const HOST = process.env['COUNTERSIGN_CLUSTER_HOST']
const skip =
  withoutCluster() ??
  (HOST ? undefined : 'COUNTERSIGN_CLUSTER_HOST is not set: pods cannot reach this host')

const RESOURCE = 'https://mcp.example.com'
const CONFIG = ['--config', '/etc/countersign/countersign.yaml']
/** A replica reads changed keys once a minute. */
const ROTATION_MS = 120_000

test('a rolling upgrade and a key rotation under load lose nothing', { skip }, async (t) => {
  const release = await Release.prepare(t)
  const agents = await Namespace.open(t, release.namespace.cluster, ['planner'])
  await agents.run({ name: 'planner-0', account: 'planner', tokens: { token: release.issuer } })
  await release.namespace.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'database' },
    stringData: { url: await database(t) },
  })
  const values = (retention: string) => ({
    replicas: 2,
    database: { existingSecret: 'database' },
    podDisruptionBudget: { enabled: true },
    policies: { inline: { 'planner.cedar': permit(agents.name) } },
    config: { resources: [{ audience: RESOURCE, scopes: ['trades:read'] }], audit: { retention } },
  })
  await release.apply('install', values('7d'))
  const bound = ['--bound-object-kind=Pod', '--bound-object-name=planner-0']
  const assertion = await agents.requestToken(
    'planner',
    ...['--duration=30m', `--audience=${release.issuer}`, ...bound],
  )
  const [address, ca] = [await release.address(), await release.authority()]
  const { tally, stop } = startLoad({
    address,
    issuer: release.issuer,
    ca,
    form: {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion,
      resource: RESOURCE,
      scope: 'trades:read',
    },
  })
  t.after(stop)
  await reached(tally, tally.requests + 50)

  await t.test('every pod is replaced', async () => {
    const before = await release.pods()
    await release.apply('upgrade', values('8d'))
    const after = await release.pods()
    for (const name of before.keys()) assert.ok(!after.has(name) || after.size > 2, name)
  })

  await t.test('a new key signs', async () => {
    const old = kidOf(tally.tokens.at(-1))
    const rotated = await release.exec(
      'node',
      '/app/dist/src/cli.js',
      'keys',
      'rotate',
      '--now',
      ...CONFIG,
    )
    const [kid] = rotated.split(' ')
    assert.notEqual(kid, old)
    const over = performance.now() + ROTATION_MS
    // Both replicas: the new key alone in the newest tokens of eight clients.
    while (!tally.tokens.slice(-50).every((token) => kidOf(token) === kid)) {
      assert.ok(performance.now() < over, `${kid} does not sign everywhere`)
      await pause(500)
    }
  })

  await stop()
  const statuses = [...tally.statuses].map(([status, count]) => `${count} × ${status}`).join(', ')
  t.diagnostic(
    `${tally.requests} requests: ${statuses}; retried once: ${tally.retried}; lost: ${tally.lost.length}`,
  )
  assert.deepEqual(tally.lost, [])
  assert.deepEqual([...tally.statuses.keys()], [200])

  await t.test('every token that was answered verifies with the published keys', async (t) => {
    const keys = createLocalJWKSet(JSON.parse(await release.exec('node', '-e', JWKS)))
    for (const token of tally.tokens) await jwtVerify(token, keys, { typ: 'at+jwt' })
    t.diagnostic(`${tally.tokens.length} tokens, ${new Set(tally.tokens.map(kidOf)).size} keys`)
  })
})

const JWKS = `process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  fetch('https://127.0.0.1:8443/jwks').then((answer) => answer.text()).then(console.log)`

function kidOf(token: string | undefined): string | undefined {
  return token === undefined ? undefined : decodeProtectedHeader(token).kid
}

async function reached(tally: Tally, requests: number): Promise<void> {
  while (tally.requests < requests) await pause(100)
}

function permit(namespace: string): string {
  return `@id("planner") @owner("team-agents") @ttl("5m")
permit (
  principal == ServiceAccount::"in-cluster/${namespace}/planner",
  action == Action::"trades:read",
  resource == Audience::"${RESOURCE}"
);`
}

/** An empty database, and its URL as pods reach it: through a wire on this host's address in the node's network. */
async function database(t: TestContext): Promise<string> {
  const postgres = await startPostgres()
  t.after(() => postgres.close())
  const wire = createServer((client) => {
    const server = connect(postgres.port, '127.0.0.1')
    client.pipe(server).pipe(client)
    for (const end of [client, server]) {
      end.on('error', () => undefined)
      end.on('close', () => {
        client.destroy()
        server.destroy()
      })
    }
  })
  wire.listen(0, HOST)
  await once(wire, 'listening')
  t.after(() => wire.close())
  const url = new URL(await postgres.database())
  url.hostname = 'host.internal'
  url.port = String((wire.address() as AddressInfo).port)
  url.searchParams.set('sslmode', 'disable')
  return url.href
}
