/** Conditions on where a caller is, and policies that went stale, as the caller and the operator see them. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { POLICIES, RESOURCE, startBroker } from '../world/broker.ts'
import { mmdb } from '../world/mmdb.ts'
import { scratch } from '../world/scratch.ts'

const PERMIT = `@id("a") @owner("a")
permit (
  principal == ServiceAccount::"prod-eu/agents/planner",
  action == Action::"trades:read",
  resource == Audience::"${RESOURCE}"
)`

test('a permit for a country holds for callers there, after the trusted proxy, and for no one else', async (t) => {
  const file = join(scratch(t), 'country.mmdb')
  const networks = { '91.0.0.0/10': { country: { iso_code: 'DE' }, continent: { code: 'EU' } } }
  writeFileSync(file, mmdb({ type: 'GeoLite2-Country', builtAt: 1_799_000_000, networks }))
  const folder = scratch(t)
  const condition =
    'when { context has geo && context.geo.country == "DE" && context.geo.ageDays < 30 }'
  writeFileSync(join(folder, 'a.cedar'), `${PERMIT}\n${condition};`)
  const world = await startBroker(t, {
    settings: { policies: { path: folder, geo: { file } } },
    trustedProxies: ['127.0.0.1/32'],
  })
  const from = async (address: string) => {
    const answer = await world.app.inject({
      method: 'POST',
      url: '/token',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-forwarded-for': address,
      },
      payload: new URLSearchParams(world.form()).toString(),
    })
    return answer.statusCode
  }
  assert.equal(await from('91.1.2.3'), 200)
  assert.equal(await from('8.8.8.8'), 400)
  assert.equal(await from('10.0.0.1'), 400)
  const places = world.events().map(({ question }) => question?.place)
  assert.deepEqual(places, [
    { country: 'DE', continent: 'EU', asn: null, builtAt: 1_799_000_000 },
    null,
    null,
  ])
})

test('a geo database that is not there keeps the broker from starting', async (t) => {
  const folder = scratch(t)
  const settings = { policies: { path: folder, geo: { file: join(folder, 'none.mmdb') } } }
  await assert.rejects(startBroker(t, { settings }), /There is no geo database at .*none\.mmdb/)
})

test('policies that fail for longer than maxStale refuse every request, and the metrics say so from the first failure', async (t) => {
  const folder = scratch(t)
  const write = (text: string) => writeFileSync(join(folder, 'a.cedar'), text)
  write(`${PERMIT};`)
  const world = await startBroker(t, {
    ownPolicies: true,
    settings: { policies: { path: folder, maxStale: '1h' } },
  })
  const metrics = async () => {
    const { text } = await world.broker.meter.expose()
    const value = (name: string) => new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]
    return ['failing', 'failures_total', 'age_seconds'].map((name) =>
      value(`countersign_policies_${name}`),
    )
  }
  assert.deepEqual(await metrics(), ['0', '0', '0'])
  write(`${PERMIT} when {`)
  await world.broker.policies.reload()
  world.clock.advance(600)
  assert.deepEqual(await metrics(), ['1', '1', '600'])
  assert.match(world.written(), /The changed policies were refused/)
  assert.equal((await world.ask(world.form())).status, 200)

  world.clock.advance(3001)
  const refused = await world.ask(world.form())
  assert.equal(refused.status, 503)
  assert.equal(refused.body['error'], 'temporarily_unavailable')
  assert.ok(refused.headers['retry-after'])
  assert.equal(world.events().at(-1)?.reason, 'policies_stale')

  write(`${PERMIT} when { context.requestedTtl > 0 };`)
  await world.broker.policies.reload()
  assert.equal((await world.ask(world.form())).status, 200)
  assert.deepEqual(await metrics(), ['0', '1', '0'])
})

test('a policy of mode report changes nothing but the event and a metric', async (t) => {
  const world = await startBroker(t, {
    policies: {
      ...POLICIES,
      'trial.cedar': `@id("trial") @owner("security") @mode("report")
        forbid (principal, action == Action::"trades:read", resource);`,
    },
  })
  assert.equal((await world.ask(world.form())).status, 200)
  const [ruling] = world.events()[0]?.decision?.rulings ?? []
  assert.equal(ruling?.result, 'permitted')
  assert.deepEqual(ruling?.report, { result: 'forbidden', policies: ['trial'] })
  const { body } = await world.admin.inject({ url: '/metrics', headers: { host: 'localhost' } })
  assert.match(body, /^countersign_policy_report_total\{result="permitted",would="forbidden"\} 1$/m)
})
