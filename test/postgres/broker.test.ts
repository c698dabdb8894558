/** Whole brokers on a shared database: what they agree on, and what they still do while it is away. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { signingKeys } from '../../src/keys.ts'
import { sealer } from '../../src/seal.ts'
import { openPostgres } from '../../src/store/postgres/store.ts'
import { run } from '../process/cli.ts'
import { type BrokerOptions, startBroker, type TestBroker } from '../world/broker.ts'
import { scratch } from '../world/scratch.ts'
import { optionsOf, PASSWORD } from './server.ts'
import { server } from './shared.ts'

const SECRET = 'a secret of at least thirty-two characters'
const DAY = 24 * 3600

function startOn(t: TestContext, url: string, options: BrokerOptions = {}): Promise<TestBroker> {
  const settings = { store: { postgres: url }, keys: { secret: SECRET }, ...options.settings }
  return startBroker(t, { ...options, settings })
}

async function publishedBy({ app }: TestBroker): Promise<readonly string[]> {
  const { keys } = (await app.inject('/jwks')).json() as { keys: { kid: string }[] }
  return keys.map(({ kid }) => kid)
}

test('replicas that start at once on an empty database sign with one key', async (t) => {
  const url = await server.database()
  const brokers = await Promise.all([startOn(t, url), startOn(t, url), startOn(t, url)])
  const published = await Promise.all(brokers.map(publishedBy))
  assert.equal(published[0]?.length, 1)
  assert.deepEqual(published, [published[0], published[0], published[0]])
})

test('evidence that one replica took is refused by the other, and its decision is explained by either', async (t) => {
  const url = await server.database()
  const one = await startOn(t, url, { trust: { replay: 'once' } })
  const two = await startOn(t, url, { trust: { replay: 'once' } })
  const first = await one.ask(one.form())
  assert.equal(first.status, 200)
  // The two clusters of these brokers have one name, and mint one `jti`.
  for (const broker of [one, two]) {
    assert.equal((await broker.ask(broker.form())).status, 400)
    assert.equal(broker.events().at(-1)?.reason, 'evidence_replayed')
  }
  const id = first.headers['x-request-id']
  const found = await two.admin.inject({ url: `/decisions/${id}`, headers: { host: 'localhost' } })
  assert.equal(found.json().event.outcome, 'issued')
})

test('a key that another replica adds is published at once', async (t) => {
  const url = await server.database()
  const broker = await startOn(t, url)
  const before = await publishedBy(broker)
  const other = await openPostgres(optionsOf(url))
  t.after(() => other.close())
  const keys = signingKeys(other, sealer(SECRET, 'signing keys'), 30 * DAY)
  await keys.refresh(broker.clock.seconds() + 29 * DAY)
  const started = performance.now()
  while ((await publishedBy(broker)).length === before.length) await pause(1)
  t.diagnostic(`published after ${(performance.now() - started).toFixed(1)} ms`)
  assert.equal((await publishedBy(broker)).length, 2)
})

test('without its database a broker serves what needs none, refuses the rest, and recovers by itself', async (t) => {
  const url = await server.database()
  const once = await startOn(t, url, { trust: { replay: 'once' } })
  let monotonic = 0
  const reusable = await startOn(t, url, { stopwatch: () => monotonic })
  const id = (await reusable.ask(reusable.form())).headers['x-request-id']
  const local = { headers: { host: 'localhost' } }
  const decision = { url: `/decisions/${id}`, ...local }
  // Nobody waits for the kept copy: it may come, or be lost and counted, after the answer.
  while ((await reusable.admin.inject(decision)).statusCode !== 200) await pause(20)
  await server.crash()

  const form = once.form()
  const refused = await once.ask(form)
  assert.equal(refused.status, 503)
  assert.equal(refused.body['error'], 'temporarily_unavailable')
  assert.ok(refused.headers['retry-after'])
  assert.equal(once.events().at(-1)?.reason, 'store_unavailable')
  for (let n = 0; n < 3; n += 1) assert.equal((await reusable.ask(reusable.form())).status, 200)
  assert.equal(reusable.events().length, 4, 'each is in the audit log')
  for (const { app } of [once, reusable]) {
    assert.equal((await app.inject('/readyz')).statusCode, 200)
    assert.equal((await app.inject('/jwks')).statusCode, 200)
    assert.equal((await app.inject('/.well-known/oauth-authorization-server')).statusCode, 200)
  }
  const unknown = await reusable.admin.inject(decision)
  assert.equal(unknown.statusCode, 503, 'not 404: nobody can tell')
  const unkept = async () =>
    /countersign_decisions_unkept_total (\d+)/.exec(
      (await reusable.admin.inject({ url: '/metrics', ...local })).body,
    )?.[1]
  while ((await unkept()) !== '3') await pause(20)
  assert.match(reusable.written(), /the store keeps no decisions/)
  monotonic = 30_001
  const late = await reusable.ask(reusable.form())
  assert.deepEqual([late.status, late.body['error']], [503, 'temporarily_unavailable'])
  assert.equal(reusable.events().at(-1)?.reason, 'revocations_stale')
  monotonic = 0

  await server.start()
  while ((await once.ask(form)).status === 503) await pause(20)
  assert.equal((await once.ask(form)).status, 400, 'the refusals burnt nothing; the token did')
  for (let kept = 0; kept !== 200; await pause(20)) {
    const later = (await reusable.ask(reusable.form())).headers['x-request-id']
    kept = (await reusable.admin.inject({ url: `/decisions/${later}`, ...local })).statusCode
  }
  for (const { written } of [once, reusable]) assert.ok(!written().includes(PASSWORD))
})

test('a broker does not start while its database is away: one sentence, no stack, no password', async (t) => {
  const url = await server.database()
  const folder = scratch(t)
  writeFileSync(join(folder, 'a.cedar'), '')
  writeFileSync(join(folder, 'url'), url)
  writeFileSync(join(folder, 'secret'), SECRET)
  const config = join(folder, 'countersign.yaml')
  writeFileSync(
    config,
    `issuer: http://127.0.0.1:1
listen: { host: 127.0.0.1, port: 0 }
admin: { port: 0 }
store: { postgres: "\${file:url}" }
keys: { secret: "\${file:secret}" }
trust: [{ kubernetes: { cluster: a, issuer: http://127.0.0.1:2, jwks: { inline: { keys: [] } } } }]
resources: [{ audience: https://mcp.example.com }]
policies: { path: a.cedar }
`,
  )
  await server.crash()
  t.after(() => server.start())
  const { code, out, err } = await run('serve', '--config', config)
  assert.deepEqual([code, out], [1, ''])
  assert.match(
    err,
    /^countersign serve: cannot use the store: PostgreSQL at 127\.0\.0\.1:\d+: .*ECONNREFUSED[^\n]*\n$/m,
  )
  assert.doesNotMatch(err, new RegExp(`\\n {4}at |${PASSWORD}`))
})
