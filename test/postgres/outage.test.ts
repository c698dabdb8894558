/** A database that goes away: broken connections, lost answers, a server that hangs, one that crashes. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { openPostgres } from '../../src/store/postgres/store.ts'
import type { Store } from '../../src/store/store.ts'
import { keyRecord } from '../store/suite.ts'
import { proxyTo } from './proxy.ts'
import { optionsOf, PASSWORD } from './server.ts'
import { server } from './shared.ts'

async function opened(t: TestContext, url: string, port = server.port): Promise<Store> {
  const store = await openPostgres(optionsOf(url, { port }))
  t.after(() => store.close())
  return store
}

/** Asks until it answers. The test runner's own limit ends what never does. */
async function recovered<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await ask()
    } catch {
      await pause(20)
    }
  }
}

test('connections that are ended during work cost no caller anything, and no key is spent twice', async (t) => {
  const url = await server.database()
  const store = await opened(t, url)
  let ended = 0
  for (let round = 0; round < 8; round += 1) {
    const keys = Array.from({ length: 40 }, (_, n) => `${round}-${n}`)
    // Over several turns, so that several connections are at work, and then broken.
    const spending: Promise<boolean>[] = []
    for (const key of keys) {
      spending.push(store.spend(key, 100))
      await turn()
    }
    ended += await server.terminate(url)
    assert.deepEqual(new Set(await Promise.all(spending)), new Set([true]))
    const again = await Promise.all(keys.map((key) => store.spend(key, 100)))
    assert.deepEqual(new Set(again), new Set([false]))
  }
  assert.ok(ended > 16, 'more than the one that listens and another')
  t.diagnostic(`${ended} connections ended`)
})

test('a spending that was committed, and whose answer was lost, is still the first', async (t) => {
  const url = await server.database()
  const proxy = await proxyTo(t, server.port)
  const store = await opened(t, url, proxy.port)
  await store.spend('before', 100)
  const lost = proxy.loseAnswerTo('first-key')
  const [answer] = await Promise.all([store.spend('first-key', 100), lost])
  assert.equal(answer, true)
  assert.equal(await store.spend('first-key', 100), false)
})

test('a lost answer does not make the first of what another replica has spent', async (t) => {
  const url = await server.database()
  const proxy = await proxyTo(t, server.port)
  const store = await opened(t, url, proxy.port)
  const other = await opened(t, url)
  assert.equal(await other.spend('first-key', 100), true)
  const lost = proxy.loseAnswerTo('first-key')
  const [answer] = await Promise.all([store.spend('first-key', 100), lost])
  assert.equal(answer, false)
})

test('a server that hangs is given up soon, then nobody waits for it, and it is found again without a restart', async (t) => {
  const url = await server.database()
  const store = await opened(t, url)
  await store.spend('before', 100)
  server.hang()
  t.after(() => server.resume())
  let started = performance.now()
  await assert.rejects(store.spend('during', 100), (error: Error) => {
    assert.match(error.message, /^PostgreSQL at 127\.0\.0\.1:\d+: .*time/)
    return true
  })
  const first = performance.now() - started
  started = performance.now()
  await Promise.all(
    Array.from({ length: 500 }, (_, n) => assert.rejects(store.spend(`later-${n}`, 100))),
  )
  await assert.rejects(store.keepDecision({ id: 'x', at: 1, event: '{}' }))
  const later = performance.now() - started
  t.diagnostic(`given up after ${first.toFixed(0)} ms, 500 more within ${later.toFixed(0)} ms`)
  assert.ok(first < 5_000 && later < 1_000)
  server.resume()
  assert.equal(await recovered(() => store.spend('after', 100)), true)
  assert.equal(await store.spend('before', 100), false)
})

test('a store whose server hangs can be closed', async (t) => {
  const store = await openPostgres(optionsOf(await server.database()))
  await store.spend('before', 100)
  server.hang()
  t.after(() => server.resume())
  await store.close()
  await assert.rejects(store.spend('x', 1), { message: 'the store is closed' })
  server.resume()
})

test('a server that crashes refuses at once, and forgets nothing that was spent', async (t) => {
  const url = await server.database()
  const store = await opened(t, url)
  await new Promise<void>((resolve) => store.onChange(() => resolve()))
  assert.equal(await store.spend('before', 100), true)
  await server.crash()
  await assert.rejects(store.spend('during', 100), (error: Error) => {
    assert.match(error.message, /ECONNREFUSED/)
    assert.doesNotMatch(error.stack ?? '', new RegExp(PASSWORD))
    return true
  })
  const heard = new Promise<void>((resolve) => store.onChange(() => resolve()))
  await server.start()
  assert.equal(await recovered(() => store.spend('before', 100)), false)
  await heard
  assert.equal(await store.addKey(keyRecord(1)), true, 'and listening goes on')
})

test('a store does not open while its server is away, and says so without the password', async (t) => {
  const url = await server.database()
  await server.crash()
  t.after(() => server.start())
  await assert.rejects(openPostgres(optionsOf(url)), (error: Error) => {
    assert.match(
      error.message,
      /^cannot use the store: PostgreSQL at 127\.0\.0\.1:\d+: .*ECONNREFUSED/,
    )
    assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)}`, new RegExp(PASSWORD))
    return true
  })
})
