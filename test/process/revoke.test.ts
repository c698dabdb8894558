/** `countersign revoke` and `keys rotate --now --revoke` beside a broker that runs on the same store. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { main } from '../../src/cli/main.ts'
import { nameOf } from '../../src/lineage.ts'
import { revocationFeed, verifier } from '../../src/resource/index.ts'
import { startRun } from '../world/run.ts'

const WORKLOAD = 'k8s://prod-eu/ns/agents/sa/planner'
const AUDIENCE = 'https://mcp.example.com'

async function site(t: TestContext) {
  const run = await startRun(t, (folder) => ({ store: { sqlite: join(folder, 'state.db') } }))
  const { publicUrl } = run.running
  const config = join(run.folder, 'commands.yaml')
  const settings = {
    issuer: 'https://countersign.test',
    trust: [{ kubernetes: { cluster: 'prod-eu', issuer: 'https://k8s.test' } }],
    resources: [{ audience: AUDIENCE }],
    policies: { path: 'policies' },
    store: { sqlite: 'state.db' },
  }
  writeFileSync(config, JSON.stringify(settings))
  const command = async (...args: readonly string[]) => {
    const out: string[] = []
    const err: string[] = []
    const code = await main([...args, '--config', config], {
      out: (line) => out.push(line),
      note: (line) => err.push(line),
      stdout: new Writable(),
      stderr: new Writable(),
      env: { USER: 'alice' },
      colour: false,
      stopped: () => Promise.resolve(),
      now: run.clock.now,
    })
    return { code, out: out.join('\n'), err: err.join('\n') }
  }
  const ask = async () => {
    const answer = await fetch(`${publicUrl}/token`, { method: 'POST', body: run.form() })
    const body = (await answer.json()) as { access_token?: string; error?: string }
    return { status: answer.status, token: body.access_token ?? '', error: body.error ?? null }
  }
  /** What the feed of the running broker says, which reads the store before it signs. */
  const hashes = async (): Promise<readonly string[]> => {
    run.clock.advance(1)
    const jws = await (await fetch(`${publicUrl}/revocations`)).text()
    return (decodeJwt(jws)['revocations'] as { hash: string }[]).map(({ hash }) => hash)
  }
  return { ...run, command, ask, hashes }
}

for (const [option, value] of [
  ['--sub', WORKLOAD],
  ['--actor', WORKLOAD],
  ['--trust', 'kubernetes:prod-eu'],
] as const) {
  test(`${option}: the running broker refuses it, until it is lifted`, async (t) => {
    const { command, ask, hashes, clock } = await site(t)
    assert.equal((await ask()).status, 200)
    const done = await command('revoke', option, value, '--reason', 'leaked')
    assert.deepEqual([done.code, done.err], [0, ''])
    assert.match(done.out, /is revoked until it is lifted: .*no.* token/)
    const kind = option.slice(2) as 'sub' | 'actor' | 'trust'
    assert.deepEqual(await hashes(), [nameOf(kind, value)])
    assert.deepEqual(await ask(), { status: 400, token: '', error: 'invalid_grant' })
    const [listed] = JSON.parse((await command('revoke', '--list', '--json')).out)
    assert.deepEqual([listed.target, listed.by, listed.reason], [value, 'alice', 'leaked'])
    const lifted = await command('revoke', option, value, '--lift')
    assert.match(lifted.out, /was lifted: tokens issued by 2027-\S+ stay revoked until 2027-/)
    await hashes()
    clock.advance(1)
    assert.equal((await ask()).status, 200)
    const again = await command('revoke', option, value, '--lift')
    assert.deepEqual([again.code, again.out], [1, ''])
    assert.match(again.err, /is not revoked/)
  })
}

test('--token: by its text and by the id of its decision, until it ends', async (t) => {
  const { command, ask, hashes, folder } = await site(t)
  const { token } = await ask()
  const { jti, exp } = decodeJwt(token)
  const file = join(folder, 'token')
  writeFileSync(file, `${token}\n`)
  for (const value of [file, String(jti)]) {
    const { code, out } = await command('revoke', '--token', value, '--json')
    assert.equal(code, 0)
    const [record] = JSON.parse(out)
    assert.deepEqual(
      [record.kind, record.target, Date.parse(record.until) / 1000],
      ['token', jti, exp],
    )
  }
  assert.deepEqual(await hashes(), [nameOf('token', String(jti))])
  assert.equal((await ask()).status, 200, 'the next token is another one')
})

test('--evidence: by the decision that took it, until it ends; by a name of it, until it is lifted', async (t) => {
  const { command, ask, hashes } = await site(t)
  const { token } = await ask()
  const { jti, lineage } = decodeJwt(token) as { jti: string; lineage: string[] }
  const [record] = JSON.parse((await command('revoke', '--evidence', jti, '--json')).out)
  assert.equal(record.name, lineage[0])
  assert.equal(record.target, `decision ${jti}`)
  assert.notEqual(record.until, null)
  assert.deepEqual(await hashes(), [lineage[0]])
  assert.equal((await ask()).error, 'invalid_grant')
  const { out } = await command('revoke', '--evidence', 'pod:prod-eu/some-uid')
  assert.match(out, /^evidence pod:prod-eu\/some-uid \([\w-]{16}\) is revoked until it is lifted/)
  assert.match((await command('revoke', '--evidence', lineage[1] ?? '')).out, /is revoked/)
  const lines = (await command('revoke', '--list')).out.split('\n')
  assert.equal(lines.length, 3)
})

/** Arguments, the exit code, and what is said. */
const WRONG: readonly (readonly [readonly string[], 1 | 2, RegExp])[] = [
  [[], 2, /choose one of/],
  [['--sub', 'a', '--actor', 'b'], 2, /choose one of/],
  [['--sub', ''], 2, /choose one of/],
  [['--list', '--sub', 'a'], 2, /choose one of/],
  [['--lift'], 2, /choose one of/],
  [['--lift', '--token', 'x'], 2, /--lift belongs to/],
  [['--list', '--lift'], 2, /--lift belongs to/],
  [['--pod', 'x'], 2, /Unknown option/],
  [['--sub', 'a'.repeat(513)], 1, /more than 512 characters/],
  [['--token', '/nonexistent'], 1, /no such file/],
  [['--token', '01990000-0000-7000-8000-000000000000'], 1, /keeps no decision/],
  [['--evidence', '01990000-0000-7000-8000-000000000000'], 1, /keeps no decision/],
  [['--evidence', 'something'], 1, /is the id of a decision, a name of its origin/],
]

test('what makes no sense changes nothing', async (t) => {
  const { command, hashes, folder, ask } = await site(t)
  const file = join(folder, 'token')
  const { token } = await ask()
  writeFileSync(file, `${token.slice(0, -8)}AAAAAAAA`)
  for (const [args, code, said] of [
    ...WRONG,
    [['--token', file], 1, /holds no token of this broker.*\(signature_invalid\)/] as const,
  ]) {
    const answer = await command('revoke', ...args)
    assert.equal(answer.code, code, args.join(' '))
    assert.match(answer.err, said, args.join(' '))
    assert.equal(answer.out, '')
  }
  assert.deepEqual(await hashes(), [])
  assert.match((await command('revoke', '--list')).err, /Nothing is revoked/)
})

test('the compromise drill: a new key signs, every token of the old one is bad, and verifiers know', async (t) => {
  const { command, ask, running, clock } = await site(t)
  const issuer = 'https://countersign.test'
  const options = { issuer, now: clock.now }
  const http: typeof fetch = (input, init) =>
    fetch(String(input).replace(issuer, running.publicUrl), init)
  const feed = revocationFeed({ ...options, fetch: http })
  t.after(feed.close)
  await feed.refresh()
  // It has the old key in its cache, and will not ask for keys again.
  const another = () => verifier({ ...options, audience: AUDIENCE, fetch: http, revocations: feed })
  const verify = another()
  const stolen = (await ask()).token
  await verify(stolen)
  const old = decodeProtectedHeader(stolen).kid

  const { code, out } = await command('keys', 'rotate', '--now', '--revoke', '--reason', 'drill')
  assert.equal(code, 0)
  assert.match(out, new RegExp(`\\n${old} is revoked: it is published no longer`))
  clock.advance(1)
  // The feed is read from the store at once; the broker has its new key as soon as it has read that.
  while ((await fetch(`${running.publicUrl}/revocations`)).status !== 200) clock.advance(1)
  const fresh = await ask()
  assert.notEqual(decodeProtectedHeader(fresh.token).kid, old)
  const jwks = (await (await fetch(`${running.publicUrl}/jwks`)).json()) as {
    keys: { kid: string }[]
  }
  assert.equal(
    jwks.keys.some(({ kid }) => kid === old),
    false,
  )
  clock.advance(1)
  await feed.refresh()
  await assert.rejects(verify(stolen), { message: 'it was revoked' })
  assert.equal((await another()(fresh.token)).subject, WORKLOAD)

  assert.match((await command('keys', 'list')).out, new RegExp(`^revoked +${old}`, 'm'))
  assert.doesNotMatch((await command('keys', 'export')).out, new RegExp(String(old)))
  assert.match((await command('keys', 'export', '--retired')).out, new RegExp(String(old)))
  const [record] = JSON.parse((await command('revoke', '--list', '--json')).out)
  assert.deepEqual(
    [record.kind, record.target, record.reason, record.until],
    ['key', old, 'drill', null],
  )
})

test('--revoke and --reason have their place', async (t) => {
  const { command } = await site(t)
  for (const args of [
    ['rotate', '--revoke'],
    ['list', '--revoke'],
    ['rotate', '--now', '--reason', 'x'],
  ]) {
    const { code, err } = await command('keys', ...args)
    assert.equal(code, 2)
    assert.match(err, /--(revoke|reason) belongs to/)
  }
})
