/** The agent's AWS sources, with the real SDK against an STS that recomputes what it signs. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { AgentError, agent } from '../../src/agent/index.ts'
import { callerIdentity, webIdentity } from '../../src/agent/sources/aws.ts'
import { attest } from '../world/attest.ts'
import { ACCOUNT, AWS_AUDIENCE, AWS_ISSUER, setAwsStage } from '../world/aws.ts'
import { ISSUER, RESOURCE, startBroker } from '../world/broker.ts'
import type { TestClock } from '../world/clock.ts'
import { put } from '../world/kubernetes.ts'
import { scratch } from '../world/scratch.ts'
import { FakeSts, REGION, SESSION } from '../world/sts.ts'

/** What makes the SDK find this STS at its own name, with these credentials, by the test's clock. */
function clientOf(sts: FakeSts, clock: TestClock) {
  return {
    credentials: {
      accessKeyId: SESSION.accessKeyId,
      secretAccessKey: SESSION.secret,
      sessionToken: SESSION.sessionToken,
    },
    maxAttempts: 1,
    systemClockOffset: clock.now() - Date.now(),
    requestHandler: { httpsAgent: new Agent({ ca: sts.ca, host: '127.0.0.1', port: sts.port }) },
  }
}

suite('web identity tokens', () => {
  async function start(t: TestContext) {
    const { clock, issuer, attestor } = await setAwsStage(t)
    const sts = await new FakeSts(clock).listen(t)
    sts.mint = (audience, algorithm) => {
      assert.equal(algorithm, 'ES384')
      return issuer.mint(({ claims }) => put(claims, 'aud', audience))
    }
    const client = clientOf(sts, clock)
    const source = webIdentity({ audience: AWS_AUDIENCE, region: REGION, client })
    return { clock, attestor, sts, client, source }
  }

  test('are those that the attestor takes, a new one for each call', async (t) => {
    const { clock, attestor, sts, source } = await start(t)
    const { principal, facts } = await attest(attestor, await source(), clock)
    assert.equal(principal.id, `${ACCOUNT}/settlement`)
    assert.ok('ec2.instanceArn' in facts)
    await attest(attestor, await source(), clock)
    assert.equal(sts.asked.length, 2)
    const form = new URLSearchParams(sts.asked[0]?.body)
    assert.equal(form.get('Audience.member.1'), AWS_AUDIENCE)
    assert.equal(form.get('DurationSeconds'), '300')
  })

  test('are not to be had with other credentials, or while STS fails', async (t) => {
    const { sts, client } = await start(t)
    const credentials = { ...client.credentials, secretAccessKey: 'another' }
    const stranger = webIdentity({
      audience: AWS_AUDIENCE,
      region: REGION,
      client: { ...client, credentials },
    })
    const code = 'credential_unreadable'
    await assert.rejects(stranger(), { code, message: /SignatureDoesNotMatch/ })
    sts.fault = 'error'
    const source = webIdentity({ audience: AWS_AUDIENCE, region: REGION, client })
    await assert.rejects(source(), (error) => error instanceof AgentError && error.code === code)
  })
})

suite('signed GetCallerIdentity requests', () => {
  async function start(t: TestContext) {
    const trust: object[] = []
    let sts: FakeSts | undefined
    const world = await startBroker(t, {
      policies: {
        'trades.cedar': `@id("role") @owner("team-agents")
permit (principal == AwsRole::"${ACCOUNT}/settlement", action == Action::"trades:read", resource);`,
      },
      settings: { trust },
      async before(_cluster, clock) {
        sts = await new FakeSts(clock).listen(t)
        const ca = join(scratch(t), 'sts.pem')
        writeFileSync(ca, sts.ca)
        const takes = { regions: [REGION], ca, allowPrivate: true }
        const jwks = { inline: { keys: [] } }
        trust.push({ aws: { account: ACCOUNT, issuer: AWS_ISSUER, jwks, callerIdentity: takes } })
      },
      door: () => sts?.door() ?? assert.fail(),
    })
    const to: string[] = []
    const http: typeof fetch = async (input, init) => {
      const { pathname, origin } = new URL(String(input))
      assert.equal(origin, ISSUER)
      to.push(pathname)
      const { statusCode, body, headers } = await world.app.inject({
        method: init?.method === 'POST' ? 'POST' : 'GET',
        url: pathname,
        ...(init?.body instanceof URLSearchParams && {
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          payload: init.body.toString(),
        }),
      })
      const id = String(headers['x-request-id'])
      return new Response(body, { status: statusCode, headers: { 'x-request-id': id } })
    }
    const real = sts ?? assert.fail()
    const client = clientOf(real, world.clock)
    const options = { issuer: ISSUER, region: REGION, client, fetch: http, now: world.clock.now }
    return { world, sts: real, to, http, options }
  }

  test('become tokens, each over a challenge of its own', async (t) => {
    const { world, sts, to, http, options } = await start(t)
    const source = callerIdentity(options)
    const asking = agent({
      issuer: ISSUER,
      resource: RESOURCE,
      scopes: ['trades:read'],
      source,
      fetch: http,
      now: world.clock.now,
    })
    const { scope } = await asking.request()
    assert.equal(scope, 'trades:read')
    await asking.request()
    assert.equal(sts.asked.length, 2)
    assert.equal(to.filter((path) => path === '/challenge').length, 2)
    assert.equal(world.events().at(-1)?.question?.subject, `aws://aws/${ACCOUNT}/role/settlement`)
  })

  test('are not made with long-term keys, nor for a broker without challenges', async (t) => {
    const { options, http } = await start(t)
    const { accessKeyId, secretAccessKey } = options.client.credentials
    const credentials = { accessKeyId, secretAccessKey }
    const forever = callerIdentity({ ...options, client: { ...options.client, credentials } })
    await assert.rejects(forever(), { code: 'credential_unreadable', message: /long-term/ })
    const without: typeof fetch = async (input, init) => {
      const document = (await (await http(input, init)).json()) as Record<string, unknown>
      delete document['challenge_endpoint']
      return Response.json(document)
    }
    const unasked = callerIdentity({ ...options, fetch: without })
    await assert.rejects(unasked(), { code: 'challenge_unavailable' })
  })

  test('ask for challenges only where the issuer is', async (t) => {
    const { options, http } = await start(t)
    const elsewhere: typeof fetch = async (input, init) => {
      const document = (await (await http(input, init)).json()) as object
      return Response.json({ ...document, challenge_endpoint: 'https://evil.example/challenge' })
    }
    const source = callerIdentity({ ...options, fetch: elsewhere })
    await assert.rejects(source(), { code: 'issuer_mismatched' })
  })
})
