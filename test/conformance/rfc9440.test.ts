/** RFC 9440, over real connections: certificates that a proxy in front of us forwards, and who else says it is one. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { thumbprint } from '../../src/possession.ts'
import { type Held, issue } from '../world/authority.ts'
import { callerOf, NOBODY, ownCertificate, startMtls } from '../world/mtls.ts'

const root = issue('clients', undefined, { kind: 'P-256' })
const agent = issue('agent', root, { kind: 'P-256', authority: false })
const own = ownCertificate('somebody')
const header = ({ der }: Held) => `:${der.toString('base64')}:`
const PROXY = { trustedProxies: ['127.0.0.1/32'] }
const SOMEBODY = { trustedProxies: ['10.0.0.0/8'] }

/** The thumbprint that a token is bound to; null for none. */
function boundTo(json: Record<string, unknown>): unknown {
  const cnf = decodeJwt(String(json['access_token']))['cnf'] as Record<string, string> | undefined
  return cnf?.['x5t#S256'] ?? null
}

/** A broker behind a proxy that the caller of the test plays. */
function behind(t: TestContext, listen: Readonly<Record<string, unknown>> = PROXY) {
  return startMtls(t, { listen })
}

test('§2.1: a certificate is DER in a byte sequence, and nothing else is one', async (t) => {
  const { ask } = await behind(t)
  const { json } = await ask(NOBODY, {}, { 'client-cert': header(agent) })
  assert.equal(boundTo(json), thumbprint(agent.der))
  for (const value of [
    encodeURIComponent(agent.pem),
    agent.der.toString('base64'),
    `"${agent.der.toString('base64')}"`,
    `${header(agent)};a`,
    ':AAAA:',
    `:${Buffer.concat([agent.der, Buffer.of(0)]).toString('base64')}:`,
  ]) {
    const answer = await ask(NOBODY, {}, { 'client-cert': value })
    assert.deepEqual([answer.status, answer.json['error']], [401, 'invalid_client'], value)
  }
})

test('§2.2: Client-Cert is no list, and comes once', async (t) => {
  const { ask } = await behind(t)
  for (const value of [`${header(agent)}, ${header(own)}`, [header(agent), header(own)]]) {
    const { status, json } = await ask(NOBODY, {}, { 'client-cert': value })
    assert.deepEqual([status, json['error']], [401, 'invalid_client'])
  }
})

test('§2.2 (2): Client-Cert is in no answer of ours', async (t) => {
  const { ask } = await behind(t)
  const { headers } = await ask(NOBODY, {}, { 'client-cert': header(agent) })
  assert.deepEqual(
    Object.keys(headers).filter((name) => name.startsWith('client-cert')),
    [],
  )
})

test('§2.3: Client-Cert-Chain goes with Client-Cert only', async (t) => {
  const { ask } = await behind(t)
  const { status, json } = await ask(NOBODY, {}, { 'client-cert-chain': header(root) })
  assert.deepEqual([status, json['error']], [401, 'invalid_client'])
})

test('§2.3 (2): Client-Cert-Chain is a list, and may come in parts', async (t) => {
  const { ask } = await behind(t)
  const middle = issue('clients below', root, { kind: 'P-256' })
  for (const chain of [
    '',
    header(middle),
    `${header(middle)}, ${header(root)}`,
    [header(middle), header(root)],
  ]) {
    const { json } = await ask(
      NOBODY,
      {},
      { 'client-cert': header(agent), 'client-cert-chain': chain },
    )
    assert.equal(boundTo(json), thumbprint(agent.der))
  }
  const broken = { 'client-cert': header(agent), 'client-cert-chain': [header(middle), 'x'] }
  assert.equal((await ask(NOBODY, {}, broken)).status, 401)
})

test('§3.2: long headers of a proxy are taken, up to a limit', async (t) => {
  const { ask } = await behind(t)
  // Names make certificates long: five of some 6 kB each are more than the headers of anybody else may be.
  const long = issue('x'.repeat(4096), undefined, { kind: 'P-256' })
  const chain = (count: number) => Array.from({ length: count }, () => header(long)).join()
  const shown = (count: number) => ({
    'client-cert': header(agent),
    'client-cert-chain': chain(count),
  })
  assert.equal((await ask(NOBODY, {}, shown(3))).status, 200)
  assert.equal((await ask(NOBODY, {}, shown(5))).status, 401)
  const { ask: askSomebody } = await startMtls(t)
  assert.equal((await askSomebody(NOBODY, {}, shown(3))).status, 431)
})

test('§4: headers count from a trusted proxy, and from nobody else', async (t) => {
  const rows: readonly (readonly [listen: object, caller: object, bound: Held | null])[] = [
    [PROXY, NOBODY, agent],
    // The proxy's own certificate says nothing about the client behind it.
    [PROXY, callerOf(own), agent],
    [SOMEBODY, NOBODY, null],
    [SOMEBODY, callerOf(own), own],
    [{}, NOBODY, null],
    [{ ...PROXY, clientCertHeader: 'ignore' }, NOBODY, null],
  ]
  for (const [listen, caller, bound] of rows) {
    const { ask } = await behind(t, { ...listen })
    const { status, json } = await ask(caller, {}, { 'client-cert': header(agent) })
    assert.equal(status, 200, JSON.stringify(json))
    assert.equal(boundTo(json), bound === null ? null : thumbprint(bound.der))
  }
})

test('§4: whoever names a trusted proxy in X-Forwarded-For or Forwarded is none', async (t) => {
  const { ask } = await behind(t, SOMEBODY)
  const { json } = await ask(
    NOBODY,
    {},
    { 'client-cert': header(agent), 'x-forwarded-for': '10.1.2.3', forwarded: 'for=10.1.2.3' },
  )
  assert.equal(boundTo(json), null)
})

test('§4: a client without a certificate stays without one behind a proxy that has its own', async (t) => {
  const { ask } = await behind(t)
  const { status, json } = await ask(callerOf(own))
  assert.equal(status, 200)
  assert.equal(boundTo(json), null)
  assert.equal(
    (await ask(callerOf(own), { scope: 'trades:delete' })).json['error'],
    'invalid_scope',
  )
})
