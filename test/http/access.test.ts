/** Whom an admin listener that others can reach answers, and with what. */

import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { readCertificate } from '../../src/certificate.ts'
import { type Access, byCertificate } from '../../src/http/access.ts'
import { byTokenReview, type PostReview } from '../../src/http/reviewed.ts'
import { adminServer } from '../../src/http/server.ts'
import { createLogger } from '../../src/log.ts'
import { startBroker } from '../world/broker.ts'
import { selfSigned } from '../world/certificate.ts'
import { settle } from '../world/clock.ts'
import { call, startRun, writePair } from '../world/run.ts'
import { scratch } from '../world/scratch.ts'

const SCRAPER = 'system:serviceaccount:agents:planner'
const NAME = 'admin.test'

/** A run whose admin listener asks a fake cluster who calls. */
async function reviewing(t: TestContext) {
  let ca = ''
  const site = await startRun(t, (folder, cluster) => {
    ca = writePair(folder, NAME).cert
    return {
      admin: {
        port: 0,
        hosts: [NAME],
        tls: { cert: `${folder}/cert.pem`, key: `${folder}/key.pem` },
        auth: {
          allow: { metrics: [SCRAPER], decisions: ['alice'] },
          tokenreview: { kubeconfig: cluster.kubeconfig() },
        },
      },
    }
  })
  const token = site.cluster.mint(({ claims }) => {
    claims['aud'] = ['https://countersign.test/admin']
  })
  const ask = (headers: Record<string, string>, path = '/metrics') =>
    call(`${site.running.adminUrl}${path}`, { ca, servername: NAME, headers })
  return { ...site, token, ask, shown: { authorization: `Bearer ${token}` } }
}

test('a caller whose token the API server vouches for gets what its name may have, and no more', async (t) => {
  const { ask, shown, cluster } = await reviewing(t)
  const metrics = await ask(shown)
  assert.equal(metrics.status, 200)
  assert.match(metrics.body, /^countersign_ready 1$/m)
  assert.equal(cluster.reviews[0]?.audiences[0], 'https://countersign.test/admin')
  const decision = await ask(shown, '/decisions/00000000-0000-0000-0000-000000000000')
  assert.equal(decision.status, 403)
})

test('whoever shows no token that holds is nobody', async (t) => {
  const { ask, token, cluster } = await reviewing(t)
  const workload = cluster.mint()
  for (const [what, headers] of [
    ['nothing', {}],
    ['another scheme', { authorization: `Basic ${token}` }],
    ['two tokens', { authorization: `Bearer ${token} ${token}` }],
    ['a token for the token endpoint', { authorization: `Bearer ${workload}` }],
    ['a token nobody signed', { authorization: `Bearer ${token.slice(0, -8)}AAAAAAAA` }],
  ] as const) {
    const { status, headers: answered } = await ask({ ...headers })
    assert.equal(status, 401, what)
    assert.equal(answered['www-authenticate'], 'Bearer', what)
  }
})

test('another name is refused, however good its token', async (t) => {
  const { ask, cluster } = await reviewing(t)
  const token = cluster.mint(({ claims }) => {
    claims['aud'] = ['https://countersign.test/admin']
    claims['sub'] = 'system:serviceaccount:agents:planner2'
  })
  assert.equal((await ask({ authorization: `Bearer ${token}` })).status, 403)
})

test('an answer of the API server is kept for a minute, and no longer', async (t) => {
  const { ask, shown, cluster, clock } = await reviewing(t)
  for (let n = 0; n < 3; n += 1) assert.equal((await ask(shown)).status, 200)
  assert.equal(cluster.reviews.length, 1)
  cluster.deleted.add('a80db121-9afb-4f60-8334-ced381327329')
  clock.advance(59)
  assert.equal((await ask(shown)).status, 200)
  clock.advance(1)
  assert.equal((await ask(shown)).status, 401)
})

test('an API server that does not answer lets nobody in', async (t) => {
  const { ask, shown, cluster, log } = await reviewing(t)
  cluster.fault = 'error'
  const { status, headers } = await ask(shown)
  assert.equal(status, 503)
  assert.equal(headers['retry-after'], '5')
  assert.match(log(), /who calls the admin listener cannot be found out/)
  assert.doesNotMatch(log(), /eyJ/)
  cluster.fault = null
  assert.equal((await ask(shown)).status, 200)
})

test('a foreign name, another address or a web page gets nothing, and nobody is asked about it', async (t) => {
  const { ask, shown, cluster, running } = await reviewing(t)
  const { port } = new URL(running.adminUrl)
  for (const [host, status] of [
    [`${NAME}:${port}`, 200],
    [`ADMIN.test:${port}`, 200],
    [`127.0.0.1:${port}`, 200],
    ['evil.example', 403],
    ['10.0.0.1', 403],
    [`${NAME}.evil.example`, 403],
  ] as const) {
    assert.equal((await ask({ ...shown, host })).status, status, host)
  }
  cluster.reviews.length = 0
  assert.equal((await ask({ ...shown, origin: `https://${NAME}` })).status, 403)
  assert.equal((await ask({ ...shown, host: 'evil.example' })).status, 403)
  assert.equal(cluster.reviews.length, 0)
})

/** An admin server over TLS with an access of its own. */
async function listening(t: TestContext, access: Access, clientCa: string | null) {
  const world = await startBroker(t)
  const folder = scratch(t)
  const { cert: ca } = writePair(folder, NAME)
  const files = { cert: `${folder}/cert.pem`, key: `${folder}/key.pem` }
  const certificate = readCertificate({ setting: 'admin.tls', ...files, clientCa: null })
  const logger = createLogger(process.stderr, 'silent')
  const app = adminServer(world.broker, {
    logger,
    tls: { ...certificate, ca: clientCa },
    access,
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => app.close())
  const { port } = app.server.address() as AddressInfo
  return { url: `https://127.0.0.1:${port}`, ca }
}

test('a caller is known by the names in its certificate, for as long as that lasts', async (t) => {
  const [scraper, other, foreign] = ['scraper.test', 'other.test', 'scraper.test'].map((name) =>
    selfSigned(name),
  )
  assert.ok(scraper && other && foreign)
  let now = 0
  const allow = { metrics: ['DNS:scraper.test'], decisions: [] }
  const access = { hosts: [], auth: { authenticate: byCertificate(() => now), allow } }
  const { url, ca } = await listening(t, access, scraper.cert + other.cert)
  const ask = (shown: object, path = '/metrics') =>
    call(`${url}${path}`, { ca, servername: NAME, ...shown })
  assert.equal((await ask(scraper)).status, 200)
  assert.equal((await ask(scraper, '/decisions/x')).status, 403)
  assert.equal((await ask(other)).status, 403)
  await assert.rejects(ask({}), 'no certificate')
  await assert.rejects(ask(foreign), 'of another authority')
  now = Date.parse('+010000-01-01')
  assert.equal((await ask(scraper)).status, 401)
})

/** A request as far as an authenticator reads it. */
const bearing = (token: string) =>
  ({ headers: { authorization: `Bearer ${token}` } }) as Parameters<
    ReturnType<typeof byTokenReview>
  >[0]

const AUDIENCE = 'https://countersign.test/admin'
const positive = (status: object = {}) => ({
  status: { authenticated: true, audiences: [AUDIENCE], user: { username: 'alice' }, ...status },
})

test('only a whole and positive TokenReview names a caller', async () => {
  const named = async (answer: object) => {
    const post = async () => answer as Awaited<ReturnType<PostReview>>
    return byTokenReview({ post, audience: AUDIENCE, now: () => 0 })(bearing('t'))
  }
  assert.deepEqual(await named(positive()), ['alice'])
  for (const status of [
    { authenticated: false },
    { authenticated: 'true' },
    { error: 'expired' },
    { audiences: undefined },
    { audiences: [] },
    { audiences: ['https://other.example'] },
    { user: null },
    { user: { username: '' } },
    { user: { username: ['alice'] } },
  ]) {
    assert.deepEqual(await named(positive(status)), [], JSON.stringify(status))
  }
  await assert.rejects(named({}), /TokenReview/)
})

test('a flood of tokens neither reaches the API server nor fills the memory', async () => {
  const asked: string[] = []
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  const authenticate = byTokenReview({
    audience: AUDIENCE,
    now: () => 0,
    async post(_path, body) {
      asked.push((body['spec'] as { token: string }).token)
      await gate
      return positive()
    },
  })
  const answers = Array.from({ length: 40 }, (_, n) => authenticate(bearing(`t${n}`)))
  const settled = Promise.allSettled(answers)
  await settle()
  assert.equal(asked.length, 16)
  open()
  const refused = (await settled).filter(({ status }) => status === 'rejected')
  assert.equal(refused.length, 24)

  for (let n = 0; n < 300; n += 1) await authenticate(bearing(`u${n}`))
  asked.length = 0
  await authenticate(bearing('u299'))
  assert.equal(asked.length, 0, 'kept')
  await authenticate(bearing('u0'))
  assert.deepEqual(asked, ['u0'], 'forgotten')
})
