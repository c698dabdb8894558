/** The broker as a process: killed, drained, misconfigured. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { selfSigned } from '../world/certificate.ts'
import { writePair } from '../world/run.ts'
import { run } from './cli.ts'
import { mint, POLICY, RESOURCE, type Site, serve, site } from './site.ts'

function ask({ issuer }: Site, assertion: string): Promise<Response> {
  const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
  const body = new URLSearchParams({
    grant_type,
    assertion,
    resource: RESOURCE,
    scope: 'trades:read',
  })
  return fetch(`${issuer}/token`, { method: 'POST', body })
}

test('after kill -9 the same keys sign, and no spent evidence is forgotten', async (t) => {
  const here = await site(t)
  const first = await serve(t, here)
  const keys = await (await fetch(`${here.issuer}/jwks`)).text()
  const spent = mint(here)
  assert.equal((await ask(here, spent)).status, 200)
  assert.equal((await ask(here, spent)).status, 400, 'evidence_replayed')
  first.child.kill('SIGKILL')
  await first.finished

  await serve(t, here)
  assert.equal(await (await fetch(`${here.issuer}/jwks`)).text(), keys)
  assert.equal((await ask(here, spent)).status, 400)
  assert.equal((await ask(here, mint(here))).status, 200)
  const events = readFileSync(join(here.folder, 'audit.jsonl'), 'utf8').trim().split('\n')
  assert.deepEqual(
    events.map((line) => JSON.parse(line).reason),
    [null, 'evidence_replayed', 'evidence_replayed', null],
  )
})

test('a reader of standard output that goes away costs tokens, not the process', async (t) => {
  const here = await site(t)
  writeFileSync(here.config, readFileSync(here.config, 'utf8').replace(/^audit:.*$/m, ''))
  const started = await serve(t, here)
  started.child.stdout?.destroy()
  // The first write may still fit into the pipe.
  for (let n = 0; n < 3; n += 1) await ask(here, mint(here))
  const refused = await ask(here, mint(here))
  assert.equal(refused.status, 503)
  assert.equal((await fetch(`${here.issuer}/livez`)).status, 200)
})

test('a decision is explained after a restart too', async (t) => {
  const here = await site(t)
  const first = await serve(t, here)
  const id = (await ask(here, 'not.a.jwt')).headers.get('x-request-id')
  first.child.kill('SIGKILL')
  await first.finished
  const second = await serve(t, here)
  const [, admin] = await second.until(/admin on (\S+)/)
  const { event } = (await (await fetch(`${admin}/decisions/${id}`)).json()) as {
    event: { reason: string }
  }
  assert.equal(event.reason, 'token_malformed')
})

test('SIGTERM drains: the request under way is answered, then the process ends with 0', async (t) => {
  const here = await site(t)
  const started = await serve(t, here)
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: mint(here),
    resource: RESOURCE,
    scope: 'trades:read',
  }).toString()
  const { hostname, port } = new URL(here.issuer)
  const socket = connect(Number(port), hostname)
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk
  })
  socket.write(
    `POST /token HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n` +
      `content-type: application/x-www-form-urlencoded\r\ncontent-length: ${body.length}\r\n\r\n`,
  )
  // The server has the request once it asks for the body.
  while (!answer.includes('100 Continue')) await once(socket, 'data')
  started.child.kill('SIGTERM')
  await assert.rejects(async () => {
    for (;;) await fetch(`${here.issuer}/livez`, { headers: { connection: 'close' } })
  }, 'new connections are refused')
  socket.write(body)
  await once(socket, 'close')
  assert.match(answer, /HTTP\/1\.1 200 /)
  assert.equal((await started.finished).code, 0)
})

test('without keys.secret one is made beside the database, for its owner alone, with a warning', async (t) => {
  const here = await site(t)
  const started = await serve(t, here)
  const path = join(here.folder, 'state.db.secret')
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.match(started.err(), /keys\.secret is not set/)
})

test('a bad configuration does not start, and says every fault at its place', async (t) => {
  const here = await site(t)
  const text = readFileSync(here.config, 'utf8')
  writeFileSync(
    here.config,
    text.replace('cluster: prod-eu', 'clutser: prod-eu').replace('trades:read', 'issue'),
  )
  const { code, out, err } = await run('serve', '--config', here.config)
  assert.equal(code, 1)
  assert.equal(out, '')
  assert.match(err, /countersign\.yaml:8:\d+: error: .*clutser.*cluster/)
  assert.match(err, /countersign\.yaml:12:\d+: error: .*issue/)
  assert.equal(existsSync(join(here.folder, 'state.db')), false)
})

test('bad policies, a taken port or a missing file end with 1 and a sentence, not a stack', async (t) => {
  const here = await site(t)
  writeFileSync(join(here.folder, 'read.cedar'), `${POLICY} permit (oops`)
  const bad = await run('serve', '--config', here.config)
  assert.equal(bad.code, 1)
  assert.match(bad.err, /read\.cedar:2:\d+: error: /)

  writeFileSync(join(here.folder, 'read.cedar'), POLICY)
  await serve(t, here)
  const taken = await run('serve', '--config', here.config)
  assert.equal(taken.code, 1)
  assert.match(taken.err, /EADDRINUSE/)

  const missing = await run('serve', '--config', join(here.folder, 'absent.yaml'))
  assert.equal(missing.code, 1)
  assert.match(missing.err, /cannot read the configuration .*absent\.yaml/)
  for (const { err } of [bad, taken, missing]) assert.doesNotMatch(err, /\n {4}at /)
})

test('a certificate that cannot be used stops the start, and the message names the setting', async (t) => {
  const here = await site(t)
  writePair(here.folder, 'cs.test')
  writeFileSync(join(here.folder, 'other.pem'), selfSigned('cs.test').key)
  writeFileSync(
    here.config,
    readFileSync(here.config, 'utf8')
      .replace('issuer: http:', 'issuer: https:')
      .replace('listen: { ', 'listen: { tls: { cert: cert.pem, key: other.pem }, '),
  )
  const { code, err } = await run('serve', '--config', here.config)
  assert.equal(code, 1)
  assert.match(
    err,
    /^countersign serve: listen\.tls\.key: \S+other\.pem is not the private key of/m,
  )
  assert.equal(existsSync(join(here.folder, 'state.db')), false)
})
