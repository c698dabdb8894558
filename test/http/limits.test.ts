/** Hostile HTTP: sizes, media types, broken framing. Each has its answer, and the broker goes on serving. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import Fastify from 'fastify'
import { errorHandler } from '../../src/http/errors.ts'
import { parseFormBody, tokenRoute } from '../../src/http/token.ts'
import { type Reason, Refusal } from '../../src/refusal.ts'
import { startBroker, type TestBroker } from '../world/broker.ts'

const FORM = 'application/x-www-form-urlencoded'

async function post(
  world: TestBroker,
  contentType: string | undefined,
  payload: string | Buffer,
  url = '/token',
) {
  const headers = contentType === undefined ? {} : { 'content-type': contentType }
  return world.app.inject({ method: 'POST', url, headers, payload })
}

test('bodies that are not one sane form', async (t) => {
  const world = await startBroker(t)
  const good = new URLSearchParams(world.form()).toString()
  const rows: ReadonlyArray<[what: string, status: number, send: () => ReturnType<typeof post>]> = [
    ['a body over 64 KiB', 400, () => post(world, FORM, `x=${'a'.repeat(65 * 1024)}`)],
    ['JSON', 400, () => post(world, 'application/json', '{"grant_type":"x"}')],
    ['a multipart form', 400, () => post(world, 'multipart/form-data; boundary=x', good)],
    ['a body without a type', 400, () => post(world, undefined, good)],
    ['an empty body', 400, () => post(world, FORM, '')],
    ['parameters in the query', 400, () => post(world, FORM, good, '/token?scope=trades%3Adelete')],
    [
      'bytes that are not UTF-8',
      400,
      () => post(world, FORM, Buffer.from([0x67, 0x3d, 0xff, 0xfe])),
    ],
    ['a leading question mark on grant_type', 400, () => post(world, FORM, `?${good}`)],
    ['ten thousand parameters', 400, () => post(world, FORM, 'a=b&'.repeat(10_000))],
  ]
  for (const [what, status, send] of rows) {
    await t.test(what, async () => {
      const response = await send()
      assert.equal(response.statusCode, status, response.body)
      assert.equal(response.json().error, 'invalid_request')
      assert.equal(response.headers['cache-control'], 'no-store')
    })
  }
  const charset = await post(world, `${FORM}; charset=utf-8`, good)
  assert.equal(charset.statusCode, 200, 'a charset parameter does no harm')
})

test('a URL that cannot be read has an answer of our form', async (t) => {
  const world = await startBroker(t)
  const response = await world.app.inject('/%ff')
  assert.equal(response.statusCode, 400)
  assert.equal(response.json().error, 'invalid_request')
  assert.equal(response.headers['x-request-id'], response.json().request_id)
  assert.doesNotMatch(response.body, /%ff/)
})

test('connections cannot be kept for nothing: headers have 10 s, requests 15 s, and they are counted', async (t) => {
  const { app } = await startBroker(t)
  const { server } = app
  assert.equal(server.headersTimeout, 10_000)
  assert.equal(server.requestTimeout, 15_000)
  assert.equal(server.maxConnections, 8_192)
})

test('an Authorization header is a second kind of credential', async (t) => {
  const world = await startBroker(t)
  const response = await world.app.inject({
    method: 'POST',
    url: '/token',
    headers: { 'content-type': FORM, authorization: 'Basic Zm9vOmJhcg==' },
    payload: new URLSearchParams(world.form()).toString(),
  })
  assert.equal(response.json().error, 'invalid_request')
  assert.match(world.written(), /"reason":"credentials_ambiguous"/)
})

/** Sends raw bytes and reads until the server closes. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk
  })
  socket.on('error', () => undefined)
  socket.write(text)
  await once(socket, 'close')
  return answer
}

test('broken HTTP is answered and the connection closed', async (t) => {
  const world = await startBroker(t)
  await world.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = world.app.server.address() as AddressInfo
  const rows: ReadonlyArray<[what: string, sent: string, status: RegExp]> = [
    [
      'headers over 16 KiB',
      `GET /livez HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(20_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 /,
    ],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      'two lengths',
      'POST /token HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'a length and chunks',
      'POST /token HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    ['a bare line feed in a header', 'GET /livez HTTP/1.1\nhost: x\n\n', /^HTTP\/1\.1 (400|200) /],
  ]
  for (const [what, sent, status] of rows) {
    await t.test(what, async () => {
      const answer = await raw(
        port,
        sent.replace('/livez HTTP/1.1\n', '/livez HTTP/1.1\nconnection: close\n'),
      )
      assert.match(answer, status)
    })
  }
  assert.equal((await world.ask(world.form())).status, 200)
})

test('X-Forwarded-For counts only behind a trusted proxy, and then its rightmost untrusted hop', async (t) => {
  const policies = {
    'net.cedar': `@id("net") @owner("x") permit (principal == ServiceAccount::"prod-eu/agents/planner",
      action == Action::"trades:read", resource)
      when { context has sourceIp && context.sourceIp.isInRange(ip("203.0.113.0/24")) };`,
  }
  const send = (world: TestBroker, remoteAddress: string, forwarded: string) =>
    world.app.inject({
      method: 'POST',
      url: '/token',
      remoteAddress,
      headers: { 'content-type': FORM, 'x-forwarded-for': forwarded },
      payload: new URLSearchParams(world.form()).toString(),
    })
  const direct = await startBroker(t, { policies })
  assert.equal((await send(direct, '198.51.100.7', '203.0.113.9')).statusCode, 400)
  assert.equal((await send(direct, '203.0.113.9', '198.51.100.7')).statusCode, 200)

  const proxied = await startBroker(t, { policies, trustedProxies: ['10.0.0.0/8'] })
  assert.equal((await send(proxied, '10.0.0.1', '203.0.113.9')).statusCode, 200)
  assert.equal((await send(proxied, '10.0.0.1', '203.0.113.9, 10.0.0.2')).statusCode, 200)
  assert.equal((await send(proxied, '10.0.0.1', '203.0.113.9, 198.51.100.7')).statusCode, 400)
  assert.equal((await send(proxied, '198.51.100.7', '203.0.113.9')).statusCode, 400)
  assert.equal(proxied.events()[1]?.question?.sourceIp, '203.0.113.9')
  assert.equal((await send(direct, '::ffff:203.0.113.9', '')).statusCode, 200)
  assert.equal(direct.events().at(-1)?.question?.sourceIp, '203.0.113.9', 'IPv4 in IPv6 dress')
  const nonsense = await send(proxied, '10.0.0.1', 'not-an-address')
  assert.equal(nonsense.statusCode, 400)
  assert.equal(proxied.events().at(-1)?.question?.sourceIp, null)
})

test('a body over the limit is logged as form_too_large', async (t) => {
  const world = await startBroker(t)
  await post(world, FORM, `x=${'a'.repeat(65 * 1024)}`)
  assert.match(world.written(), new RegExp(`"reason":"${'form_too_large' satisfies Reason}"`))
})

test('more requests than may wait at one time are asked to come back, until one is done', async (t) => {
  const { promise: gate, resolve: open } = Promise.withResolvers<never>()
  const refusals: string[] = []
  const meter = { issued() {}, refused: (reason: string) => refusals.push(reason) }
  const app = Fastify()
  t.after(() => app.close())
  app.addContentTypeParser(FORM, { parseAs: 'string' }, parseFormBody)
  app.setErrorHandler(errorHandler(meter))
  tokenRoute(app, '/token', {
    exchange: () => gate,
    newNonce: () => '',
    meter,
    bodyLimitBytes: 65_536,
    endpoint: 'https://as.example/token',
    certificates: () => ({ chain: [], identifies: false }),
  })
  const send = () =>
    app.inject({
      method: 'POST',
      url: '/token',
      headers: { 'content-type': FORM },
      payload:
        'grant_type=client_credentials&client_assertion=x&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer',
    })
  const waiting = Array.from({ length: 2_000 }, send)
  await Promise.race([waiting[0], new Promise((resolve) => setImmediate(resolve))])
  const refused = await send()
  assert.equal(refused.statusCode, 503)
  assert.equal(refused.json().error, 'temporarily_unavailable')
  assert.deepEqual(refusals, ['overloaded' satisfies Reason])
  open(Promise.reject(new Refusal('policy_denied')) as never)
  await Promise.all(waiting)
  assert.equal((await send()).statusCode, 400)
})
