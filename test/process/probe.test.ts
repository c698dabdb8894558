/** `countersign probe`: against a broker that does right, and against brokers that grant or promise too much. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  type Call,
  type Caller,
  caller,
  type Reply,
  readObject,
} from '../../src/cli/probe/caller.ts'
import { type IssueOptions, probeIssue } from '../../src/cli/probe/issue.ts'
import { probeRefusals, type RefuseOptions } from '../../src/cli/probe/refuse.ts'
import type { Check } from '../../src/cli/probe/report.ts'
import { RESOURCE, startBroker, type TestBroker } from '../world/broker.ts'
import { selfSigned } from '../world/certificate.ts'
import { scratch } from '../world/scratch.ts'
import { run, start } from './cli.ts'

const SCOPE = 'trades:read'

/** The public listener of a broker, without a network. */
function callerOf({ app }: TestBroker): Caller {
  return async ({ method, path, form }) => {
    const answer = await app.inject({
      method,
      url: path,
      ...(form && {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        payload: new URLSearchParams(form).toString(),
      }),
    })
    const { statusCode: status, body } = answer
    return { status, headers: answer.headers as Reply['headers'], body, json: readObject(body) }
  }
}

const nobody = (broker: TestBroker, audience?: string) =>
  broker.cluster.mint(({ claims, own }) => {
    claims['sub'] = 'system:serviceaccount:agents:nobody'
    own['serviceaccount'] = { name: 'nobody', uid: '0b9f9b7e-0000-4000-8000-000000000000' }
    if (audience !== undefined) claims['aud'] = [audience]
  })

function refusals(broker: TestBroker, change: Partial<RefuseOptions> = {}) {
  return probeRefusals({
    call: callerOf(broker),
    issuer: broker.issuer,
    resource: RESOURCE,
    scope: SCOPE,
    token: nobody(broker),
    foreign: nobody(broker, 'https://elsewhere.example.com'),
    ...change,
  })
}

function issue(broker: TestBroker, change: Partial<IssueOptions> = {}) {
  return probeIssue({
    call: callerOf(broker),
    issuer: broker.issuer,
    resource: RESOURCE,
    scope: SCOPE,
    token: broker.cluster.mint(),
    unpermitted: 'trades:delete',
    now: () => broker.clock.now(),
    ...change,
  })
}

const wrong = (checks: readonly Check[]) =>
  checks.filter(({ ok }) => !ok).map(({ name, found }) => `${name}: ${found}`)

test('a broker that refuses and issues as documented passes both probes', async (t) => {
  for (const issuer of ['https://countersign.test', 'https://example.test/tenants/a']) {
    const broker = await startBroker(t, { issuer })
    const refused = await refusals(broker)
    assert.deepEqual(wrong(refused), [])
    assert.equal(refused.length, 23)
    assert.deepEqual(wrong(await issue(broker)), [])
  }
})

test('whatever is granted or refused for another reason is found, each by its own check', async (t) => {
  const broker = await startBroker(t)
  const names = (await refusals(broker)).map(({ name }) => name)
  const answers: readonly [string, Partial<Reply>, RegExp][] = [
    ['granted', { status: 200, json: { access_token: 'x' } }, /A TOKEN WAS ISSUED/],
    // A status that refuses hides no token from whoever reads the body.
    ['granted beside an error', { json: { error: 'invalid_grant', access_token: 'x' } }, /ISSUED/],
    ['down', { status: 503, json: { error: 'temporarily_unavailable' } }, /503 .*; must be 40/],
    ['shown', { status: 200, json: null, body: '# HELP' }, /^200; must be 40/],
  ]
  for (const [index, name] of names.entries()) {
    for (const [what, lie, expected] of answers) {
      let sent = -1
      const call: Caller = async (asked) => {
        const reply = await callerOf(broker)(asked)
        sent += 1
        return sent === index ? { ...reply, ...lie } : reply
      }
      const failed = (await refusals(broker, { call })).filter(({ ok }) => !ok)
      assert.deepEqual(
        failed.map((check) => check.name),
        [name],
        what,
      )
      assert.match(failed[0]?.found ?? '', expected)
    }
  }
})

test('a policy that permits everyone is found by the real refusals', async (t) => {
  const policies = {
    'all.cedar': `@id("all") @owner("x") permit (principal, action == Action::"${SCOPE}", resource);`,
  }
  const broker = await startBroker(t, { policies })
  const found = wrong(await refusals(broker))
  assert.equal(found.length, 1)
  assert.match(
    found[0] ?? '',
    /without a permit: 200, AND A TOKEN WAS ISSUED; must be 400 invalid_scope/,
  )
})

test('without a good credential of its own the negative probe does not pass', async (t) => {
  const broker = await startBroker(t)
  const token = nobody(broker, 'https://elsewhere.example.com')
  const [first] = wrong(await refusals(broker, { token }))
  assert.match(
    first ?? '',
    /^a good token of a workload without a permit: 400 invalid_grant; must be/,
  )
})

type Lie = readonly [name: string, lie: (reply: Reply, call: Call) => Reply, found: RegExp]

const json = (reply: Reply, change: object): Reply => {
  const changed = { ...reply.json, ...change }
  return { ...reply, json: changed, body: JSON.stringify(changed) }
}
const at =
  (end: string, change: (reply: Reply) => Reply) =>
  (reply: Reply, { path }: Call) =>
    path.endsWith(end) ? change(reply) : reply

const LIES: readonly Lie[] = [
  [
    'not ready',
    at('/readyz', (reply) => ({ ...reply, status: 503 })),
    /^ready: \/readyz answers 503/,
  ],
  [
    'another issuer in the metadata',
    at('authorization-server', (reply) => json(reply, { issuer: 'https://countersign.test/' })),
    /^metadata: issuer is/,
  ],
  [
    'keys elsewhere',
    at('openid-configuration', (reply) => json(reply, { jwks_uri: 'https://evil.test/jwks' })),
    /^discovery document: jwks_uri is/,
  ],
  ['no keys', at('/jwks', (reply) => json(reply, { keys: [] })), /^published keys: there are none/],
  [
    'a private key among the published',
    at('/jwks', (reply) => json(reply, { keys: [{ kty: 'EC', d: 'x' }] })),
    /^published keys: A PRIVATE KEY IS PUBLISHED/,
  ],
  [
    'a token that the keys do not verify',
    at('/token', (reply) => {
      const [head, body] = String(reply.json?.['access_token']).split('.')
      return json(reply, { access_token: [head, body, `${'AAAA'.repeat(21)}AA`].join('.') })
    }),
    /^a token for this workload: signature verification failed/,
  ],
  [
    'caches may keep it',
    at('/token', (reply) => ({ ...reply, headers: {} })),
    /^a token for this workload: may be stored/,
  ],
  [
    'no answer in words',
    at('/token', (reply) => ({ ...reply, status: 502, json: null })),
    /^a token for this workload: 502/,
  ],
]

test('a broker that breaks a promise fails the positive probe', async (t) => {
  const broker = await startBroker(t)
  for (const [name, lie, expected] of LIES) {
    const call: Caller = async (asked) => lie(await callerOf(broker)(asked), asked)
    assert.match(wrong(await issue(broker, { call }))[0] ?? '', expected, name)
  }
})

test('a scope too many, and a workload that is refused, fail the positive probe', async (t) => {
  const policies = {
    'all.cedar': `@id("all") @owner("x") permit (principal == ServiceAccount::"prod-eu/agents/planner",
      action in [Action::"${SCOPE}", Action::"trades:delete"], resource);`,
  }
  const broker = await startBroker(t, { policies })
  const [wide] = wrong(await issue(broker))
  assert.match(wide ?? '', /^a scope that no policy permits is left out: has the scopes ".*delete/)
  const [refused] = wrong(await issue(broker, { token: nobody(broker) }))
  assert.match(
    refused ?? '',
    /^a token for this workload: 400 invalid_scope \(request [0-9a-f-]{36}\)/,
  )
})

/** A TLS server under the issuer's name, on any port: what `--connect` finds behind a Service. */
async function serveAs(t: TestContext, name: string) {
  const { cert, key } = selfSigned(name)
  const hosts: string[] = []
  const server = createServer({ cert, key }, (request, response) => {
    hosts.push(String(request.headers.host))
    response.writeHead(200, { 'content-type': 'text/plain' }).end('yes')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return { hosts, connect: `127.0.0.1:${address.port}` }
}

test('--connect changes the address and nothing else: the certificate must be the issuer’s', async (t) => {
  const { hosts, connect } = await serveAs(t, 'countersign.test')
  const folder = scratch(t)
  writeFileSync(join(folder, 'token'), nobody(await startBroker(t)))
  await assert.rejects(caller('https://countersign.test', connect)({ method: 'GET', path: '/' }), {
    code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  })
  assert.deepEqual(hosts, [])
  const args = ['--resource', RESOURCE, '--scope', SCOPE, '--token-file', join(folder, 'token')]
  const { code, out } = await start(
    t,
    'probe',
    ...['--issuer', 'https://countersign.test', '--connect', connect, ...args],
  ).finished
  assert.equal(code, 1)
  assert.match(out, /^WRONG +ready: self-signed certificate/m)
})

test('probe: wrong usage is exit code 2, a token that cannot be read is 1', async () => {
  const good = ['--issuer', 'https://x.test', '--resource', 'https://y.test', '--scope', 's']
  for (const args of [
    [],
    ['--issuer', 'x', '--resource', 'https://y.test', '--scope', 's'],
    [...good, '--expect', 'wonders'],
    [...good, '--connect', 'nowhere'],
  ]) {
    assert.equal((await run('probe', ...args)).code, 2, args.join(' '))
  }
  const unread = await run('probe', ...good, '--token-file', '/nowhere/token')
  assert.equal(unread.code, 1)
  assert.match(unread.err, /cannot read the token \/nowhere\/token/)
})
