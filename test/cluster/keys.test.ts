/** Every way to a real cluster's keys, and what the operator reads when one of them is blocked. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from '../process/cli.ts'
import { scratch } from '../world/scratch.ts'
import { assertRefused, freeIssuer, issued, type Settings, startBroker } from './broker.ts'
import { cluster } from './environment.ts'
import { keyFile } from './keys.ts'
import { Namespace } from './namespace.ts'

const isAtIssuer = URL.parse(cluster.issuer)?.origin === cluster.server
const elsewhere = isAtIssuer
  ? false
  : `the API server is at ${cluster.server}, not at the issuer ${cluster.issuer}`

test('keys of a real cluster', async (t) => {
  const { issuer } = await freeIssuer()
  const namespace = await Namespace.open(t, cluster, ['planner', 'countersign'])
  const [pod] = await namespace.run({
    name: 'planner-0',
    account: 'planner',
    tokens: { token: issuer },
  })
  assert.ok(pod)
  const shown = await pod.token('token')
  const bearer = join(scratch(t), 'bearer')
  writeFileSync(bearer, await namespace.requestToken('countersign', '--duration=10m'))
  const access = { ca: cluster.ca, token: bearer, allowPrivate: true }
  const url = `${cluster.server}/openid/v1/jwks`
  const broker = (jwks: Settings) =>
    startBroker(t, {
      issuer,
      trust: [{ cluster: 'real', issuer: cluster.issuer, jwks }],
      readers: [`real/${namespace.name}/planner`],
    })

  const open: readonly [string, Settings, string | false][] = [
    ['discovery at the issuer', { discovery: true, ...access }, elsewhere],
    ['a url', { url, ...access }, false],
    ['a file', await keyFile(t, cluster), false],
  ]
  for (const [name, jwks, skip] of open) {
    await t.test(`by ${name}`, { skip }, async () => {
      const reading = await broker(jwks)
      issued(await reading.ask(shown))
      const [health] = reading.running.broker.attestors()
      assert.equal(health?.ready, true)
      assert.equal(health.problem, null)
    })
  }

  const { token: _bearer, ...withoutBearer } = access
  const { ca: _ca, ...withoutCa } = access
  const { allowPrivate: _allowPrivate, ...onlyPublic } = access
  const blocked: readonly [string, Settings, RegExp][] = [
    ['a bearer token, which the API server answers with 403', withoutBearer, /\b403\b/],
    ['its CA, so that nobody vouches for the server', withoutCa, /no trusted connection/],
    ['leave to call a private address', onlyPublic, /private|not public/],
  ]
  for (const [name, way, problem] of blocked) {
    await t.test(`without ${name}: issuer_keys_unavailable, and doctor says why`, async () => {
      const blind = await broker({ url, ...way })
      const answer = await blind.ask(shown)
      assertRefused(answer, 'temporarily_unavailable', 'issuer_keys_unavailable')
      assert.equal(answer.status, 503)
      assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]/)
      const [health] = blind.running.broker.attestors()
      assert.equal(health?.ready, false)
      assert.match(health.problem ?? '', problem)
      assert.equal((await fetch(`${blind.running.publicUrl}/readyz`)).status, 503)
      const doctor = await run('doctor', '--config', blind.config)
      assert.equal(doctor.code, 1, doctor.err)
      const line = doctor.out.split('\n').find((text) => /^wrong +trust kubernetes:real/.test(text))
      assert.match(line ?? doctor.out, problem)
    })
  }
})
