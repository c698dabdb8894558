/** `countersign keys` beside a broker that runs on the same store. */

import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { decodeProtectedHeader, importJWK, jwtVerify } from 'jose'
import { main } from '../../src/cli/main.ts'
import { openKeys, openStore } from '../../src/opening.ts'
import { TestClock } from '../world/clock.ts'
import { startRun, type TestRun } from '../world/run.ts'
import { scratch } from '../world/scratch.ts'

/** What a configuration says beside the store, for commands that look at nothing else of it. */
const REST = {
  issuer: 'https://countersign.test',
  trust: [{ kubernetes: { cluster: 'prod-eu', issuer: 'https://k8s.test' } }],
  resources: [{ audience: 'https://mcp.example.com' }],
  policies: { path: 'policies' },
}

async function site(t: TestContext) {
  const run = await startRun(t, (folder) => ({ store: { sqlite: join(folder, 'state.db') } }))
  const keys = commandsIn(run.folder, run.clock.now)
  return { ...run, keys }
}

function commandsIn(folder: string, now: () => number, store: object = { sqlite: 'state.db' }) {
  const config = join(folder, 'countersign.yaml')
  writeFileSync(config, JSON.stringify({ ...REST, store }))
  return async (...args: readonly string[]) => {
    const out: string[] = []
    const err: string[] = []
    const code = await main(['keys', ...args, '--config', config], {
      out: (line) => out.push(line),
      note: (line) => err.push(line),
      stdout: new Writable(),
      stderr: new Writable(),
      env: {},
      colour: false,
      stopped: () => Promise.resolve(),
      now,
    })
    return { code, out: out.join('\n'), err: err.join('\n') }
  }
}

/** A store that a broker has used, and none on it now. */
async function still(t: TestContext) {
  const folder = scratch(t)
  const clock = new TestClock()
  const config = { store: { sqlite: join(folder, 'state.db') } }
  const store = await openStore(config)
  const keys = { algorithm: 'ES256' as const, rotateEverySeconds: 30 * 86_400, secret: null }
  await openKeys({ ...config, keys }, store, { now: clock.now, warn: () => undefined })
  await store.close()
  return { folder, clock, keys: commandsIn(folder, clock.now) }
}

async function published({ running }: TestRun) {
  const { keys } = (await (await fetch(`${running.publicUrl}/jwks`)).json()) as {
    keys: { kid: string }[]
  }
  return keys
}

async function token({ running, form }: TestRun): Promise<string> {
  const answer = await fetch(`${running.publicUrl}/token`, { method: 'POST', body: form() })
  assert.equal(answer.status, 200)
  return ((await answer.json()) as { access_token: string }).access_token
}

test('rotate --now: the running broker signs with it within a minute, and old tokens still verify', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const run = await site(t)
  const before = await token(run)
  const { code, out } = await run.keys('rotate', '--now', '--json')
  assert.equal(code, 0)
  const { kid, made, state } = JSON.parse(out)
  assert.deepEqual([made, state], [true, 'signing'])
  assert.notEqual(decodeProtectedHeader(await token(run)).kid, kid, 'not read yet')

  t.mock.timers.tick(60_000)
  // The upkeep reads the store in turns of its own.
  while (!(await published(run)).some((key) => key.kid === kid)) await token(run)
  const after = await token(run)
  assert.equal(decodeProtectedHeader(after).kid, kid)
  const keys = await published(run)
  for (const one of [before, after]) {
    const jwk = keys.find((key) => key.kid === decodeProtectedHeader(one).kid)
    assert.ok(jwk !== undefined)
    await jwtVerify(one, await importJWK(jwk, 'ES256'), { currentDate: new Date(run.clock.now()) })
  }
})

test('rotate, list, export: for people and for programs', async (t) => {
  const { keys, clock } = await still(t)
  const first = await keys('rotate')
  assert.match(
    first.out,
    /^\S+ is published as soon as a broker reads it, and signs from 2027-01-16T08:00:00Z$/,
  )
  assert.match((await keys('rotate')).out, /was published already/)
  const { out } = await keys('list')
  assert.match(
    out,
    /^signing +\S+ {2}created 2027-01-15T08:00:00Z, signs from .*, published until 2027-01-17T09:00:00Z\nnext +/,
  )

  clock.advance(10 * 86_400)
  const listed = JSON.parse((await keys('list', '--json')).out)
  assert.deepEqual(
    listed.map(({ state, signsUntil }: Record<string, unknown>) => [state, signsUntil]),
    [
      ['retired', '2027-01-16T08:00:00Z'],
      ['signing', null],
    ],
  )
  const exported = JSON.parse((await keys('export')).out).keys
  assert.deepEqual(
    exported.map(({ kid }: { kid: string }) => kid),
    [listed[1].kid],
  )
  const archive = JSON.parse((await keys('export', '--retired')).out).keys
  assert.equal(archive.length, 2)
  assert.deepEqual(Object.keys(archive[0]).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
})

test('what cannot be done is said, and nothing is made by it', async (t) => {
  const { folder, clock, keys } = await still(t)
  rmSync(join(folder, 'state.db.secret'))
  const noSecret = await keys('rotate')
  assert.equal(noSecret.code, 1)
  assert.match(noSecret.err, /state\.db\.secret is missing/)
  assert.equal(JSON.parse((await keys('list', '--json')).out).length, 1)

  const none = await commandsIn(folder, clock.now, { sqlite: 'other.db' })('list')
  assert.equal(none.code, 1)
  assert.match(none.err, /there is no store at .*other\.db yet/)
  const memory = await commandsIn(folder, clock.now, { sqlite: ':memory:' })('list')
  assert.equal(memory.code, 1)
  assert.match(memory.err, /is in memory/)
})

test('wrong usage ends with 2', async (t) => {
  const { keys } = await still(t)
  for (const args of [[], ['burn'], ['list', 'all'], ['list', '--now'], ['rotate', '--retired']]) {
    assert.equal((await keys(...args)).code, 2, args.join(' '))
  }
})
