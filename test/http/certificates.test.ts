/** Whose certificates a request shows: the connection's, or those that a trusted proxy forwards. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { certificateReader } from '../../src/http/certificates.ts'
import type { Reason } from '../../src/refusal.ts'
import { refused } from '../world/attest.ts'
import { type Held, issue } from '../world/authority.ts'

const PROXIES = ['10.0.0.0/8', 'fd00::/8', '192.0.2.7/32']
const root = issue('root', undefined, { kind: 'P-256' })
const agent = issue('agent', root, { kind: 'P-256', authority: false })
const proxy = issue('proxy', root, { kind: 'P-256', authority: false })

const header = ({ der }: Held) => `:${der.toString('base64')}:`
const FORWARDED = { 'client-cert': header(agent) }

type Shape = {
  readonly from?: string | undefined
  /** The connection's own chain, leaf first; null for a connection without TLS. */
  readonly connection?: readonly Held[] | null
  readonly headers?: Readonly<Record<string, string>>
}

/** A request as far as it is looked at. */
function requestOf({ from = '10.1.2.3', connection = [], headers = {} }: Shape): FastifyRequest {
  const chain = (connection ?? []).map(({ der }) => ({ raw: der }))
  const linked = chain.map((each, at) => Object.assign(each, { issuerCertificate: chain[at + 1] }))
  const tls = connection === null ? {} : { getPeerX509Certificate: () => linked[0] }
  return { headers, socket: { remoteAddress: from, ...tls } } as unknown as FastifyRequest
}

type Row = readonly [what: string, shape: Shape, shown: readonly Held[]]

// biome-ignore format: a table, one row a line
const rows: readonly Row[] = [
  ['nothing, from a proxy', {}, []],
  ['nothing, without TLS', { from: '203.0.113.9', connection: null }, []],
  ['a connection’s certificate', { from: '203.0.113.9', connection: [agent] }, [agent]],
  ['a connection’s chain', { from: '203.0.113.9', connection: [agent, root] }, [agent, root]],
  ['a proxy’s header', { headers: FORWARDED }, [agent]],
  ['a proxy’s headers', { headers: { ...FORWARDED, 'client-cert-chain': header(root) } }, [agent, root]],
  ['a proxy’s header and an empty chain', { headers: { ...FORWARDED, 'client-cert-chain': '' } }, [agent]],
  ['a proxy over plain HTTP', { connection: null, headers: FORWARDED }, [agent]],
  ['a proxy with a certificate of its own, and the client’s', { connection: [proxy], headers: FORWARDED }, [agent]],
  ['a proxy with a certificate of its own, for a client without', { connection: [proxy] }, []],
  ['a proxy on a socket that takes both families', { from: '::ffff:10.1.2.3', headers: FORWARDED }, [agent]],
  ['a proxy by IPv6', { from: 'fd00::1', headers: FORWARDED }, [agent]],
  ['a proxy by its one address', { from: '192.0.2.7', headers: FORWARDED }, [agent]],
  ['its neighbour', { from: '192.0.2.8', headers: FORWARDED }, []],
  ['a header from anybody', { from: '203.0.113.9', headers: FORWARDED }, []],
  ['a header from anybody by IPv6', { from: '2001:db8::1', headers: FORWARDED }, []],
  ['a header from anybody who is not mapped into a proxy', { from: '::ffff:203.0.113.9', headers: FORWARDED }, []],
  ['a header beside a connection’s certificate', { from: '203.0.113.9', connection: [proxy], headers: FORWARDED }, [proxy]],
  ['a broken header from anybody', { from: '203.0.113.9', headers: { 'client-cert': 'x' } }, []],
  ['a header of one who names a proxy', { from: '203.0.113.9', headers: { ...FORWARDED, 'x-forwarded-for': '10.1.2.3' } }, []],
  ['a header by way of a socket without an address', { from: '', headers: FORWARDED }, []],
]

for (const [what, shape, shown] of rows) {
  test(`shown: ${what}`, () => {
    const read = certificateReader({ trustedProxies: PROXIES, clientCertHeader: 'bind' })
    assert.deepEqual(
      read(requestOf(shape)).chain,
      shown.map(({ der }) => der),
    )
  })
}

test('without trusted proxies no header counts, whoever sends it', () => {
  const read = certificateReader({ trustedProxies: [], clientCertHeader: 'identify' })
  for (const from of ['10.1.2.3', '127.0.0.1', '::1']) {
    assert.deepEqual(read(requestOf({ from, headers: FORWARDED })).chain, [])
  }
})

test('a certificate says who its caller is by a connection, and by a header only where proxies are known to remove it', () => {
  const identifies = (clientCertHeader: 'bind' | 'identify' | 'ignore', shape: Shape) =>
    certificateReader({ trustedProxies: PROXIES, clientCertHeader })(requestOf(shape)).identifies
  assert.equal(identifies('bind', { from: '203.0.113.9', connection: [agent] }), true)
  assert.equal(identifies('bind', { headers: FORWARDED }), false)
  assert.equal(identifies('identify', { headers: FORWARDED }), true)
})

test('headers that are ignored are not even read, and the proxy’s own certificate stays its own', () => {
  const read = certificateReader({ trustedProxies: PROXIES, clientCertHeader: 'ignore' })
  for (const headers of [FORWARDED, { 'client-cert': 'x' }, { 'client-cert-chain': 'x' }]) {
    assert.deepEqual(read(requestOf({ headers, connection: [proxy] })).chain, [])
  }
})

const MALFORMED = 'certificate_malformed' satisfies Reason
const many = (count: number) => Array.from({ length: count }, () => root)
const large = { ...root, der: Buffer.alloc(33 * 1024, 1) }

// biome-ignore format: a table, one row a line
const refusals: readonly (readonly [what: string, shape: Shape])[] = [
  ['a header that came twice', { headers: { 'client-cert': `${header(agent)}, ${header(agent)}` } }],
  ['an empty header', { headers: { 'client-cert': '' } }],
  ['PEM', { headers: { 'client-cert': encodeURIComponent(agent.pem) } }],
  ['a chain without a leaf', { headers: { 'client-cert-chain': header(root) } }],
  ['a chain that is none', { headers: { ...FORWARDED, 'client-cert-chain': 'x' } }],
  ['nine certificates in headers', { headers: { ...FORWARDED, 'client-cert-chain': many(8).map(header).join() } }],
  ['more than 32 KiB in headers', { headers: { ...FORWARDED, 'client-cert-chain': header(large) } }],
  ['nine certificates of a connection', { from: '203.0.113.9', connection: [agent, ...many(8)] }],
  ['more than 32 KiB of a connection', { from: '203.0.113.9', connection: [agent, large] }],
]

for (const [what, shape] of refusals) {
  test(`refused: ${what}`, async () => {
    const read = certificateReader({ trustedProxies: PROXIES, clientCertHeader: 'bind' })
    await refused(() => read(requestOf(shape)), MALFORMED)
  })
}

test('eight certificates are read', () => {
  const read = certificateReader({ trustedProxies: PROXIES, clientCertHeader: 'bind' })
  const shape = {
    from: '203.0.113.9',
    connection: [agent, ...many(7).map((each) => ({ ...each }))],
  }
  assert.equal(read(requestOf(shape)).chain.length, 8)
})
