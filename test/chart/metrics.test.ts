/** The admin port of an installed broker: for those whom the values name, and for nobody else. */

import assert from 'node:assert/strict'
import { Agent, get } from 'node:https'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { parse } from 'yaml'
import { Namespace } from '../cluster/namespace.ts'
import { find, render } from './helm.ts'
import { Release, withoutCluster } from './release.ts'

const skip = withoutCluster()

test('metrics are for the readers that are named, with a token for them', { skip }, async (t) => {
  const release = await Release.prepare(t)
  const monitoring = await Namespace.open(t, release.namespace.cluster, ['prometheus', 'visitor'])
  const metrics = { readers: [`${monitoring.name}/prometheus`] }
  await release.apply('install', { metrics })
  const ca = await release.authority()
  const audience = await adminAudience(release.issuer, metrics)
  const address = await release.namespace.kubectl(
    'get',
    'service',
    'countersign-admin',
    '-o=jsonpath={.spec.clusterIP}',
  )
  const name = `countersign-admin.${release.namespace.name}.svc`
  const read = (path: string, token?: string) =>
    ask({ address, name, path, ca, ...(token !== undefined && { token }) })
  const token = (account: string, wanted: string) =>
    monitoring.requestToken(account, '--duration=10m', `--audience=${wanted}`)

  const good = await read('/metrics', await token('prometheus', audience))
  assert.equal(good.status, 200)
  assert.match(good.body, /^countersign_ready 1$/m)
  assert.match(
    good.body,
    /^countersign_cluster_synced\{trust="kubernetes:in-cluster",collection="pods"\} 1$/m,
  )

  const rows: readonly (readonly [string, string, string | undefined])[] = [
    ['nobody', '/metrics', undefined],
    ['another service account', '/metrics', await token('visitor', audience)],
    ['a token for another audience', '/metrics', await token('prometheus', release.issuer)],
    [
      'decisions',
      '/decisions/00000000-0000-0000-0000-000000000000',
      await token('prometheus', audience),
    ],
  ]
  for (const [what, path, shown] of rows) {
    const { status, body } = await read(path, shown)
    assert.ok(status === 401 || status === 403, `${what}: ${status}`)
    assert.doesNotMatch(body, /countersign_ready/)
  }
})

/** The audience that the rendered settings make a reader's token have. */
async function adminAudience(issuer: string, metrics: object): Promise<string> {
  const rendered = await render({ issuer, metrics })
  const { admin } = parse(find(rendered, 'ConfigMap', '-config')['data']['countersign.yaml'])
  return admin.auth.tokenreview.audience ?? `${issuer}/admin`
}

type Asked = {
  readonly address: string
  /** The name in the certificate is the public one; the Host header is the admin Service's. */
  readonly name: string
  readonly path: string
  readonly ca: string
  readonly token?: string
}

function ask({ address, name, path, ca, token }: Asked) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
  const servername = name.replace('-admin.', '.')
  const headers = { host: name, ...(token !== undefined && { authorization: `Bearer ${token}` }) }
  const to = { host: address, port: 9443, servername, path, ca, headers, agent: new Agent() }
  get(to, (answer) => {
    text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject)
  }).once('error', reject)
  return promise
}
