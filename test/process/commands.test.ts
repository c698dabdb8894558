/** The commands: what they print, where, and with which exit code. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { decodeJwt } from 'jose'
import { scratch } from '../world/scratch.ts'
import { run, start } from './cli.ts'

const shell = promisify(execFile)

test('demo: the whole job, every step as promised', async () => {
  const { code, out, err } = await run('demo')
  assert.equal(code, 0, out + err)
  assert.match(out, /^20 of 20 steps as promised/m)
  assert.match(out, /evidence_key_mismatch: One platform token is used with two keys/)
  assert.match(out, /^ +introspect \{"active":false\}$/m)
  assert.match(
    out,
    /└─ k8s:.*\/planner {2}trades:read trades:write {2}600 s\n.*\/helper {2}trades:read {2}300 s/,
  )
  for (const reason of ['scope_exceeded', 'subject_unusable']) assert.ok(out.includes(reason))
  assert.match(out, /timeOfDay < duration\("20h"\) \(is 22h40m\)/)
  assert.doesNotMatch(out, /NOT SO|undefined|\[object/)
})

test('dev: the printed curl line, pasted, returns a token; countersign token does too', async (t) => {
  const dev = start(t, 'dev', '--port', '0')
  const [line = ''] = await dev.until(/^curl .*$/m)
  const pasted = await shell('sh', ['-c', line])
  assert.equal(decodeJwt(JSON.parse(pasted.stdout).access_token)['scope'], 'trades:read')

  const [, args = ''] = await dev.until(/^countersign (token .*trades:read .*)$/m)
  const token = await run(...args.split(' '))
  assert.equal(token.code, 0, token.err)
  assert.equal(token.err, '')
  assert.equal(decodeJwt(token.out.trim())['scope'], 'trades:read')
  const json = await run(...args.split(' '), '--json')
  assert.equal(JSON.parse(json.out).token_type, 'Bearer')

  const refused = await run(...args.replace('trades:read', 'trades:write').split(' '))
  assert.equal(refused.code, 1)
  assert.equal(refused.out, '')
  const [, id] = refused.err.match(/invalid_scope: .*\(request ([0-9a-f-]{36})\)/) ?? []
  const [, admin] = await dev.until(/^admin +(\S+)/m)
  const decision = await (await fetch(`${admin}/decisions/${id}`)).text()
  assert.match(decision, /trading-writes-trades/)

  dev.child.kill('SIGTERM')
  assert.equal((await dev.finished).code, 0)
})

test('wrong usage ends with 2 and the usage on standard error', async () => {
  for (const args of [
    [],
    ['nonsense'],
    ['constructor'],
    ['token'],
    ['token', '--issuer', 'https://x'],
    ['token', '--issuer', 'https://x', '--resource', 'https://y', '--source', 'floppy'],
    ['serve', '--nonsense'],
    ['dev', '--port', '99999'],
  ]) {
    const { code, out, err } = await run(...args)
    assert.equal(code, 2, args.join(' '))
    assert.equal(out, '')
    assert.match(err, /usage: countersign/)
  }
})

test('help is a result: standard output, exit code 0', async () => {
  for (const args of [['--help'], ['serve', '--help'], ['check', '--help']]) {
    const { code, out } = await run(...args)
    assert.equal(code, 0)
    assert.match(out, /usage: countersign/)
  }
})

const GOOD = `issuer: http://127.0.0.1:1
listen: { host: 127.0.0.1, port: 0 }
store: { sqlite: state.db }
trust:
  - kubernetes:
      cluster: prod-eu
      issuer: https://kubernetes.default.svc
      jwks: { inline: { keys: [] } }
resources: [{ audience: https://mcp.example.com, scopes: [trades:read] }]
policies: { path: policies.cedar }
`

const POLICY = `@id("read") @owner("x")
permit (principal == ServiceAccount::"prod-eu/a/b", action == Action::"trades:read", resource);`

const POLICY_TEST = `tests:
  - name: b reads
    request:
      principal: ServiceAccount::"prod-eu/a/b"
      scope: trades:read
      at: 2026-11-19T10:15[Europe/Berlin]
    decision: allow
`

test('check: silent when all is well, one line a fault, warnings fatal only when strict', async (t) => {
  const folder = scratch(t)
  const config = join(folder, 'countersign.yaml')
  const policies = join(folder, 'policies.cedar')
  writeFileSync(config, GOOD)
  writeFileSync(policies, POLICY)
  writeFileSync(join(folder, 'policies.test.yaml'), POLICY_TEST)
  const good = await run('check', '--config', config)
  assert.deepEqual(good, { code: 0, out: '', err: '' })

  writeFileSync(policies, POLICY.replace('trades:read', 'trades:raed'))
  const typo = await run('check', '--config', config)
  assert.equal(typo.code, 1)
  assert.match(typo.out, /policies\.cedar:2:\d+: error: .*trades:raed.*did you mean.*trades:read/)

  writeFileSync(policies, POLICY.replace('principal == ServiceAccount::"prod-eu/a/b"', 'principal'))
  const broad = await run('check', '--config', config)
  assert.equal(broad.code, 0)
  assert.match(broad.out, /warning: /)
  assert.equal((await run('check', '--config', config, '--strict')).code, 1)
  const json = await run('check', '--config', config, '--json')
  assert.equal(JSON.parse(json.out)[0].severity, 'warning')

  writeFileSync(config, `${GOOD}colour: blue\n`)
  const unknown = await run('check', '--config', config)
  assert.equal(unknown.code, 1)
  assert.match(unknown.out, /countersign\.yaml:11:1: error: .*colour/)
})

test('doctor: names what is wrong and what to do, in order, and tries a token', async (t) => {
  const folder = scratch(t)
  const config = join(folder, 'countersign.yaml')
  writeFileSync(config, GOOD)
  writeFileSync(join(folder, 'policies.cedar'), POLICY)
  writeFileSync(join(folder, 'policies.test.yaml'), POLICY_TEST)
  writeFileSync(join(folder, 'token'), 'this is no token')
  const { code, out } = await run(
    'doctor',
    '--config',
    config,
    '--token-file',
    join(folder, 'token'),
  )
  assert.equal(code, 1)
  assert.match(out, /^ok +configuration and policies: no problem$/m)
  assert.match(out, /^warning +issuer http:\/\/127\.0\.0\.1:1: /m)
  assert.match(out, /^wrong +trust kubernetes:prod-eu: .*\n +Compare `issuer` and `jwks`/m)
  assert.match(out, /^wrong +token .*token_malformed/m)
  const json = await run('doctor', '--config', config, '--json')
  assert.equal(JSON.parse(json.out)[0].state, 'ok')
})

test('package.json offers what the README uses', () => {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
  for (const script of [
    'demo',
    'start',
    'test',
    'check',
    'build',
    'bench',
    'test:cluster',
    'schema',
  ]) {
    assert.equal(typeof manifest.scripts[script], 'string', script)
  }
})
