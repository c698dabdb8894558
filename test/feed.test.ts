/** What the feed says, when it is signed, and what it leaves out. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { FEED_LIMIT, feeds } from '../src/feed.ts'
import { openRevocations } from '../src/revocations.ts'
import { openSqlite } from '../src/store/sqlite.ts'
import { revocation } from './store/taken.ts'
import { TestClock } from './world/clock.ts'
import { freshKeys, ISSUED_AT, TOKEN_ISSUER } from './world/signing.ts'

async function stage(t: TestContext) {
  const clock = new TestClock(ISSUED_AT)
  const store = openSqlite(':memory:')
  const world = { monotonic: 0, signed: 0 }
  const revocations = await openRevocations({
    store,
    timers: clock.timers,
    now: clock.now,
    stopwatch: () => world.monotonic,
    warn: () => {},
  })
  t.after(() => {
    revocations.close()
    return store.close().catch(() => undefined)
  })
  const keys = await freshKeys(t)
  const signer = (now: number) => {
    world.signed += 1
    return keys.signer(now)
  }
  const feed = feeds({
    issuer: TOKEN_ISSUER,
    keys: { signer },
    revocations,
    seconds: () => clock.seconds(),
  })
  const claims = async () => decodeJwt((await feed.current()).jws)
  return { clock, store, world, revocations, feed, claims }
}

test('an empty feed is a feed', async (t) => {
  const { feed, claims } = await stage(t)
  const header = decodeProtectedHeader((await feed.current()).jws)
  assert.deepEqual(
    [header.alg, header.typ, typeof header.kid],
    ['ES256', 'revocations+jwt', 'string'],
  )
  assert.deepEqual(await claims(), {
    iss: TOKEN_ISSUER,
    iat: ISSUED_AT,
    exp: ISSUED_AT + 60,
    seq: 0,
    revocations: [],
  })
})

test('entries hold a hash and instants, and nothing else of what was revoked', async (t) => {
  const { feed, claims, revocations } = await stage(t)
  const at = ISSUED_AT
  await revocations.revoke(revocation('in-force', { at, target: 'k8s://secret', by: 'alice' }))
  await revocations.revoke(revocation('token', { at, kind: 'token', until: at + 300 }))
  await revocations.revoke(revocation('lifted', { at }))
  await revocations.lift({ name: 'lifted', at: at + 5, until: at + 90_000, by: 'x', reason: 'y' })
  await revocations.revoke(revocation('over', { at, until: at - 1 }))
  const { revocations: entries, seq } = await claims()
  assert.deepEqual(entries, [
    { hash: 'in-force' },
    { hash: 'token', until: at + 300 },
    { hash: 'lifted', issued_before: at + 6, until: at + 90_000 },
  ])
  assert.ok(Number(seq) > at)
  const { jws } = await feed.current()
  const text = Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()
  assert.doesNotMatch(text, /secret|alice|leaked/)
})

test('what another replica has committed is in the next feed', async (t) => {
  const { clock, store, claims } = await stage(t)
  const before = await claims()
  await store.revoke(revocation('a', { at: ISSUED_AT }))
  clock.advance(1)
  const after = await claims()
  assert.equal((after['revocations'] as unknown[]).length, 1)
  assert.ok(Number(after['seq']) > Number(before['seq']))
})

test('it is signed once for news and once in 20 seconds, however often it is asked for', async (t) => {
  const { clock, feed, revocations } = await stage(t)
  const tags = new Set<string>()
  const ask = async () => tags.add((await feed.current()).etag)
  await Promise.all([ask(), ask(), ask()])
  assert.equal(tags.size, 1)
  for (let second = 1; second < 20; second += 1) {
    clock.advance(1)
    await ask()
  }
  assert.equal(tags.size, 1, 'no news')
  clock.advance(1)
  await ask()
  assert.equal(tags.size, 2, 'before it is over')
  clock.advance(1)
  await revocations.revoke(revocation('a', { at: ISSUED_AT }))
  await ask()
  assert.equal(tags.size, 3)
  await revocations.revoke(revocation('b', { at: ISSUED_AT }))
  await ask()
  assert.equal(tags.size, 3, 'once a second')
  clock.advance(1)
  await ask()
  assert.equal(tags.size, 4)
})

test('a replica whose view is old signs nothing; while it is young enough it needs no store', async (t) => {
  const { clock, store, world, feed } = await stage(t)
  await store.close()
  world.monotonic = 30_000
  await feed.current()
  world.monotonic = 30_001
  clock.advance(1)
  await assert.rejects(feed.current(), { reason: 'revocations_stale' })
})

test('a feed that is too long says so, and leaves out tokens first', async (t) => {
  const { feed, claims, revocations } = await stage(t)
  const until = (n: number) => ({ kind: 'token', until: ISSUED_AT + 100 + n }) as const
  const tokens = Array.from({ length: FEED_LIMIT }, (_, n) => revocation(`token-${n}`, until(n)))
  await Promise.all(tokens.map((token) => revocations.revoke(token)))
  assert.equal((await claims())['truncated'], undefined)
  assert.equal(feed.omitted(), 0)
  for (const name of ['one', 'two']) await revocations.revoke(revocation(name, { at: ISSUED_AT }))
  const { current, omitted } = feeds({
    issuer: TOKEN_ISSUER,
    keys: await freshKeys(t),
    revocations,
    seconds: () => ISSUED_AT,
  })
  const whole = decodeJwt((await current()).jws)
  assert.equal(whole['truncated'], true)
  assert.equal(omitted(), 2)
  const hashes = new Set((whole['revocations'] as { hash: string }[]).map(({ hash }) => hash))
  assert.equal(hashes.size, FEED_LIMIT)
  assert.ok(hashes.has('one') && hashes.has('two'))
  assert.deepEqual([hashes.has('token-0'), hashes.has('token-1')], [false, false], 'they end first')
  assert.ok((await current()).jws.length < 2_000_000)
})
