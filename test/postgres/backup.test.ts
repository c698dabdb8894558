/** A backup of the shared store, taken while brokers work, and a broker on what was restored from it. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { openPostgres } from '../../src/store/postgres/store.ts'
import { startBroker, type TestBroker } from '../world/broker.ts'
import { optionsOf } from './server.ts'
import { server } from './shared.ts'

const SECRET = 'a secret of at least thirty-two characters'

function startOn(t: TestContext, url: string, secret = SECRET): Promise<TestBroker> {
  const settings = { store: { postgres: url }, keys: { secret } }
  return startBroker(t, { settings, trust: { replay: 'once' } })
}

test('after pg_dump and pg_restore the same key signs, and what was spent stays spent', async (t) => {
  const url = await server.database()
  const broker = await startOn(t, url)
  const taken = await broker.ask(broker.form())
  assert.equal(taken.status, 200)
  const store = await openPostgres(optionsOf(url))
  t.after(() => store.close())
  const working = Promise.all(Array.from({ length: 2_000 }, (_, n) => store.spend(`n-${n}`, 9e9)))
  server.program('pg_dump', '--format=custom', '--file=backup', `--dbname=${url}`)
  await working

  const restored = await server.database()
  server.program('pg_restore', '--no-owner', '--exit-on-error', `--dbname=${restored}`, 'backup')
  const again = await startOn(t, restored)
  const published = async ({ app }: TestBroker) => (await app.inject('/jwks')).body
  assert.equal(await published(again), await published(broker))
  assert.equal((await again.ask(again.form())).status, 400)
  assert.equal(again.events().at(-1)?.reason, 'evidence_replayed')
  const found = await again.admin.inject({
    url: `/decisions/${taken.headers['x-request-id']}`,
    headers: { host: 'localhost' },
  })
  assert.equal(found.json().event.outcome, 'issued')
})

test('a restored database does not start without the secret that it was made with', async (t) => {
  const url = await server.database()
  await startOn(t, url)
  server.program('pg_dump', '--format=custom', '--file=sealed', `--dbname=${url}`)
  const restored = await server.database()
  server.program('pg_restore', '--no-owner', '--exit-on-error', `--dbname=${restored}`, 'sealed')
  const wrong = 'another secret of at least thirty-two ch'
  await assert.rejects(startOn(t, restored, wrong), /keys\.secret does not open signing key/)
})
