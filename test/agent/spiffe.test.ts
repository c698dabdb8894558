/** The agent's side of the SPIFFE Workload API. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { AgentError, spiffe, x509Svid } from '../../src/agent/index.ts'
import { call } from '../../src/agent/sources/spiffe/grpc.ts'
import { placeOf } from '../../src/agent/sources/spiffe.ts'
import { sourceOf } from '../../src/cli/sources.ts'
import { attest } from '../world/attest.ts'
import { put } from '../world/kubernetes.ts'
import { scratch } from '../world/scratch.ts'
import { PLANNER, SPIFFE_AUDIENCE, setSpiffeStage } from '../world/spiffe.ts'
import { startWorkloadApi, type WorkloadFault } from '../world/workloadapi.ts'

async function start(t: TestContext) {
  const stage = await setSpiffeStage(t)
  const mint = (audience: string) => stage.issuer.mint(({ claims }) => put(claims, 'aud', audience))
  const api = await startWorkloadApi(t, { mint })
  const { clock, attestor } = stage
  const options = { socket: api.socket, timers: clock.timers }
  return {
    clock,
    attestor,
    api,
    options,
    source: spiffe({ ...options, audience: SPIFFE_AUDIENCE }),
  }
}

/** Rejects as every source does, and says this. */
function says(work: Promise<unknown>, message: RegExp): Promise<void> {
  return assert.rejects(work, (error) => {
    assert.ok(error instanceof AgentError, String(error))
    assert.equal(error.code, 'credential_unreadable')
    assert.match(error.message, message)
    return true
  })
}

test('a JWT-SVID for our audience comes over the socket, and the attestor takes it', async (t) => {
  const { clock, attestor, api, source } = await start(t)
  assert.equal((await attest(attestor, await source(), clock)).uri, PLANNER)
  assert.deepEqual(api.calls, [`FetchJWTSVID ${SPIFFE_AUDIENCE}`])
})

test('countersign token --source spiffe asks the socket of the environment', async (t) => {
  const { api } = await start(t)
  const [issuer, audience] = ['https://as.example', 'https://as.example/spiffe']
  const env = { SPIFFE_ENDPOINT_SOCKET: api.socket }
  await sourceOf('spiffe', { issuer, audience, tokenFile: undefined, env })()
  assert.deepEqual(api.calls, [`FetchJWTSVID ${audience}`])
})

test('an X.509-SVID comes with its chain and key, as TLS wants them', async (t) => {
  const { api, options } = await start(t)
  const { spiffeId, cert, key } = await x509Svid(options)
  assert.deepEqual([spiffeId, cert], [PLANNER, api.x509.pem])
  assert.match(key, /^-----BEGIN PRIVATE KEY-----\n/)
})

test('one identity of several is chosen by its SPIFFE ID', async (t) => {
  const { options } = await start(t)
  assert.equal((await x509Svid({ ...options, spiffeId: PLANNER })).spiffeId, PLANNER)
  await says(x509Svid({ ...options, spiffeId: `${PLANNER}/x` }), /has no SVID of spiffe:.*\/x for/)
})

suite('what else an endpoint may do', () => {
  const jwt = (options: object) => spiffe({ ...options, audience: 'a' })()
  // biome-ignore format: a table, one row a line
  const rows: readonly (readonly [WorkloadFault, RegExp, ((options: object) => Promise<unknown>)?])[] = [
    ['no-entry', /no identity for this process: no registration entry matches it: no identity issued$/],
    ['no-entry', /no registration entry matches it/, x509Svid],
    ['hang-up', /cannot be reached at unix:.*(closed|RESET|EPIPE|ERR_HTTP2)/],
    ['refuses', /refused with status 13: bad day;$/],
    ['http', /did not answer as one: it does not speak gRPC$/],
    ['nothing', /did not answer as one: it answered with nothing$/],
    ['compressed', /did not answer as one: its answer is compressed$/],
    ['huge', /did not answer as one: its answer is too long$/],
    ['garbage', /did not answer with messages of the Workload API$/],
    ['empty', /has no SVID for this process$/],
    ['not-a-jwt', /did not answer with a JWT-SVID$/],
    ['other-key', /did not answer with messages of the Workload API$/, x509Svid],
  ]
  for (const [fault, message, fetch = jwt] of rows) {
    test(`${fault} gives ${message.source.slice(0, 40)}`, async (t) => {
      const { api, options } = await start(t)
      api.fault = fault
      await says(fetch(options), message)
    })
  }

  test('one that hangs is given up when the time is over', async (t) => {
    const { clock, api, options } = await start(t)
    api.fault = 'hang'
    const timers = {
      ...clock.timers,
      after(delayMs: number, task: () => void) {
        assert.equal(delayMs, 250)
        queueMicrotask(task)
        return () => {}
      },
    }
    await says(
      jwt({ ...options, timers, timeoutMs: 250 }),
      /did not answer: no answer within 250 ms$/,
    )
  })

  test('nothing pends once there is an answer', async (t) => {
    const { clock, source, attestor } = await start(t)
    attestor.close()
    const before = clock.pending().length
    await source()
    assert.equal(clock.pending().length, before)
  })

  test('one that is not there cannot be reached', async (t) => {
    const socket = `unix://${join(scratch(t), 'none.sock')}`
    await says(jwt({ socket }), /cannot be reached at unix:.*none\.sock: ENOENT$/)
  })

  test('without its metadata the endpoint refuses, so that the test above can fail', async (t) => {
    const { api } = await start(t)
    const asked = { method: '/SpiffeWorkloadAPI/FetchJWTSVID', metadata: {}, timeoutMs: 5_000 }
    const work = call({ ...asked, place: { path: api.path }, message: Buffer.alloc(0) })
    await assert.rejects(work, { name: 'GrpcError', status: 3 })
  })
})

suite('addresses of the endpoint', () => {
  for (const [socket, place] of [
    ['unix:///run/a.sock', { path: '/run/a.sock' }],
    ['unix:/run/a.sock', { path: '/run/a.sock' }],
    ['tcp://127.0.0.1:8081', { host: '127.0.0.1', port: 8081 }],
    ['tcp://[::1]:8081', { host: '::1', port: 8081 }],
  ] as const) {
    test(`${socket} is one`, () => assert.deepEqual(placeOf(socket), place))
  }

  for (const socket of [
    '/run/a.sock',
    'unix://run/a.sock',
    'unix:///run/a.sock?x=1',
    'tcp://localhost:8081',
    'tcp://127.0.0.1',
    'tcp://127.0.0.1:0',
    'tcp://127.0.0.1:65536',
    'tcp://127.0.0.1:8081/path',
    'https://127.0.0.1:8081',
    '',
  ]) {
    test(`"${socket}" is none`, () =>
      assert.throws(() => placeOf(socket), /is not unix:\/\/\/path or tcp/))
  }
})
