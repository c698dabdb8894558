/** RFC 8705, over real TLS connections: what binds a token to a client certificate, and who may use it then. */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { connect } from 'node:tls'
import { decodeJwt } from 'jose'
import { InvalidToken, verifier } from '../../src/resource/index.ts'
import { issue } from '../world/authority.ts'
import { ISSUER, RESOURCE } from '../world/broker.ts'
import {
  callerOf,
  type MtlsOptions,
  NAME,
  NOBODY,
  ownCertificate,
  startMtls,
  startMtlsRun,
} from '../world/mtls.ts'
import { writePair } from '../world/run.ts'

const agent = ownCertificate('agent')
const other = ownCertificate('other')
const AGENT = callerOf(agent)
/** As §3.1 says it, and by another library than ours. */
const X5T = createHash('sha256').update(agent.der).digest('base64url')

function claimsOf(json: Record<string, unknown>) {
  return decodeJwt(String(json['access_token']))
}

test('§3: a token is bound to the certificate of the connection on which it was asked for', async (t) => {
  const { ask } = await startMtls(t)
  const { status, json } = await ask(AGENT)
  assert.equal(status, 200, JSON.stringify(json))
  assert.deepEqual(claimsOf(json)['cnf'], { 'x5t#S256': X5T })
  assert.equal(json['token_type'], 'Bearer')
})

test('§3: certificates are requested, not demanded: without one there is a bearer token', async (t) => {
  const { ask } = await startMtls(t)
  const { status, json } = await ask(NOBODY)
  assert.equal(status, 200)
  assert.equal('cnf' in claimsOf(json), false)
})

test('§3: a listener that does not ask for certificates binds nothing', async (t) => {
  const { ask } = await startMtls(t, { asks: 'nobody' })
  const { status, json } = await ask(AGENT)
  assert.equal(status, 200)
  assert.equal('cnf' in claimsOf(json), false)
})

test('§3.1: the thumbprint is SHA-256 of the DER in base64url, without padding or anything else', async (t) => {
  const { ask } = await startMtls(t)
  const { 'x5t#S256': found } = claimsOf((await ask(AGENT)).json)['cnf'] as Record<string, string>
  assert.match(String(found), /^[A-Za-z0-9_-]{43}$/)
  assert.deepEqual(
    Buffer.from(String(found), 'base64url'),
    createHash('sha256').update(agent.der).digest(),
  )
})

/** A token for `trades:read`, and the verifier of a resource server. */
async function stage(t: TestContext, caller: object) {
  const site = await startMtls(t)
  const { json } = await site.ask(caller)
  const verify = verifier({
    issuer: ISSUER,
    audience: RESOURCE,
    now: site.clock.now,
    fetch: async () => Response.json(JSON.parse((await site.reach('/jwks', {})).body)),
  })
  return { token: String(json['access_token']), verify }
}

/** A request to the resource, over a connection with that certificate. */
const shown = (token: string, certificate?: Buffer) => ({
  method: 'GET',
  url: '/trades',
  headers: { authorization: `Bearer ${token}` },
  ...(certificate && { certificate }),
})

test('§3 (2): a resource takes a bound token from the holder of its certificate only', async (t) => {
  const { token, verify } = await stage(t, AGENT)
  assert.equal((await verify(shown(token, agent.der))).scopes[0], 'trades:read')
  for (const certificate of [other.der, undefined]) {
    await assert.rejects(verify(shown(token, certificate)), InvalidToken)
  }
  await assert.rejects(verify(token), InvalidToken)
})

test('§3 (2): a token that is bound to nothing is anybody’s', async (t) => {
  const { token, verify } = await stage(t, NOBODY)
  assert.equal((await verify(token)).scopes[0], 'trades:read')
  assert.equal((await verify(shown(token, other.der))).scopes[0], 'trades:read')
})

test('§3.3: metadata says that tokens can be bound, where they can be', async (t) => {
  const proxied = { trustedProxies: ['127.0.0.1/32'] }
  const asks = 'nobody'
  const rows: readonly (readonly [options: MtlsOptions, said: boolean])[] = [
    [{}, true],
    [{ asks }, false],
    [{ asks, listen: proxied }, true],
    [{ asks, listen: { ...proxied, clientCertHeader: 'ignore' } }, false],
  ]
  for (const [options, said] of rows) {
    const { app } = await startMtls(t, options)
    const document = (await app.inject('/.well-known/oauth-authorization-server')).json()
    assert.equal(document.tls_client_certificate_bound_access_tokens ?? false, said)
    assert.deepEqual(document.token_endpoint_auth_methods_supported, ['none', 'private_key_jwt'])
  }
})

test('a resource and a policy can demand a certificate', async (t) => {
  const { ask } = await startMtls(t)
  assert.equal((await ask(AGENT, { scope: 'trades:delete' })).json['scope'], 'trades:delete')
  assert.equal((await ask(NOBODY, { scope: 'trades:delete' })).json['error'], 'invalid_scope')
  const strict = await startMtls(t, { resource: { sender: 'mtls' } })
  assert.equal((await strict.ask(AGENT)).status, 200)
  const { status, json } = await strict.ask(NOBODY)
  assert.deepEqual([status, json['error']], [400, 'invalid_request'])
})

test('§2: a certificate identifies nobody without client_id, nor does client_id without a certificate', async (t) => {
  const { ask, log } = await startMtls(t)
  const form = { grant_type: 'client_credentials', assertion: '' }
  const named = { ...form, client_id: 'spiffe://example.org/agent' }
  for (const [caller, change, reason] of [
    [AGENT, form, 'parameter_missing'],
    [NOBODY, named, 'parameter_missing'],
    // Named and shown, it is judged; here no trust domain can.
    [AGENT, named, 'type_refused'],
  ] as const) {
    const { json } = await ask(caller, change)
    assert.equal(json['access_token'], undefined)
    assert.match(log(), new RegExp(`"id":"${json['request_id']}","reason":"${reason}"`))
  }
})

test('§6.5: a certificate in a header of somebody who is no trusted proxy binds nothing', async (t) => {
  const { ask } = await startMtls(t)
  const forwarded = { 'client-cert': `:${other.der.toString('base64')}:` }
  assert.equal('cnf' in claimsOf((await ask(NOBODY, {}, forwarded)).json), false)
  assert.deepEqual(claimsOf((await ask(AGENT, {}, forwarded)).json)['cnf'], { 'x5t#S256': X5T })
})

test('§7.5: what is no certificate of use ends a handshake or a request, and nothing else', async (t) => {
  const { ask } = await startMtls(t)
  const long = Array.from({ length: 8 }, () => other)
  const { status, json } = await ask(callerOf(agent, ...long))
  assert.deepEqual([status, json['error']], [401, 'invalid_client'])
  const { cert } = callerOf(agent)
  const { key } = callerOf(other)
  await assert.rejects(ask({ cert, key }))
  assert.equal((await ask(AGENT)).status, 200)
})

test('a certificate that is over, or not valid yet, binds nothing', async (t) => {
  const site = await startMtls(t)
  // The clock of the tests stands in 2027.
  for (const [what, validity] of [
    ['over', { from: '20200101000000Z', until: '20261231235959Z' }],
    ['not valid yet', { from: '20280101000000Z' }],
  ] as const) {
    const { status, json } = await site.ask(callerOf(ownCertificate('agent', validity)))
    assert.deepEqual([status, json['error']], [401, 'invalid_client'], what)
  }
  assert.match(site.log(), /"reason":"certificate_refused"/)
})

test('a certificate that ends while its connection is open binds nothing from then on', async (t) => {
  const site = await startMtls(t)
  const { Agent } = await import('node:https')
  const open = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => open.destroy())
  const caller = callerOf(ownCertificate('agent', { until: '20270201000000Z' }))
  const once = () => site.ask({ ...caller, agent: open })
  assert.equal((await once()).status, 200)
  site.clock.advance(60 * 86_400)
  assert.equal((await once()).json['error'], 'invalid_client')
})

test('§7.4: where authorities are named, only their certificates bind', async (t) => {
  const root = issue('clients', undefined, { kind: 'P-256' })
  const middle = issue('clients below', root, { kind: 'P-256' })
  const leaf = issue('agent', middle, { kind: 'P-256', authority: false })
  const { ask, log } = await startMtlsRun(t, root.pem)
  const { status, json } = await ask(callerOf(leaf, middle))
  assert.equal(status, 200, JSON.stringify(json))
  assert.ok('cnf' in claimsOf(json))
  assert.equal((await ask(NOBODY)).status, 200)
  assert.equal((await ask(AGENT)).json['error'], 'invalid_client')
  assert.match(log(), /its chain does not lead to listen\.tls\.clientCa/)
})

test('authorities are read again when their file changes', async (t) => {
  const [before, after] = ['before', 'after'].map((name) =>
    issue(name, undefined, { kind: 'P-256' }),
  )
  assert.ok(before && after)
  const site = await startMtlsRun(t, before.pem)
  const of = (root: typeof before) =>
    callerOf(issue('agent', root, { kind: 'P-256', authority: false }))
  assert.equal((await site.ask(of(after))).status, 401)
  writeFileSync(join(site.folder, 'clients.pem'), after.pem)
  site.running.refreshCertificates()
  assert.equal((await site.ask(of(after))).status, 200)
  assert.equal((await site.ask(of(before))).status, 401)
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`each connection proves its key: no session is resumed, before a renewed pair or after (${version})`, async (t) => {
    const { running, ca, folder, port } = await startMtlsRun(t)
    const host = '127.0.0.1'
    const once = (trusted: string, session?: Buffer) =>
      new Promise<{ session: Buffer | undefined; reused: boolean }>((resolve, reject) => {
        const how = { port, host, ca: trusted, servername: NAME, ...AGENT, maxVersion: version }
        const socket = connect({ ...how, ...(session && { session }) })
        let ticket: Buffer | undefined
        socket.on('session', (found) => {
          ticket = found
        })
        socket.on('error', reject)
        socket.on('data', () => {
          resolve({ session: ticket ?? socket.getSession(), reused: socket.isSessionReused() })
          socket.destroy()
        })
        socket.write('GET /healthz HTTP/1.1\r\nhost: countersign.test\r\n\r\n')
      })
    const { session } = await once(ca)
    assert.ok(session)
    assert.equal((await once(ca, session)).reused, false)
    const { cert } = writePair(folder, NAME)
    running.refreshCertificates()
    const renewed = await once(cert)
    assert.ok(renewed.session)
    assert.equal((await once(cert, renewed.session)).reused, false)
  })
}

test('a renewed pair still asks for certificates', async (t) => {
  const site = await startMtlsRun(t)
  const { cert } = writePair(site.folder, NAME)
  site.running.refreshCertificates()
  const { json } = await site.ask({ ...AGENT, ca: cert })
  assert.deepEqual(claimsOf(json)['cnf'], { 'x5t#S256': X5T })
})

test('§7.3: nothing older than TLS 1.2 is spoken', async (t) => {
  const { port, ca } = await startMtls(t)
  const ciphers = 'DEFAULT@SECLEVEL=0'
  const how = { port, host: '127.0.0.1', ca, servername: NAME, ciphers }
  const failed = new Promise<Error>((resolve) => {
    connect({ ...how, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }).on('error', resolve)
  })
  assert.match((await failed).message, /alert protocol version/)
})
