/** Signed GetCallerIdentity requests at the token endpoint, under a policy on the role. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { ACCOUNT, AWS_ISSUER } from '../world/aws.ts'
import { ISSUER, RESOURCE, startBroker } from '../world/broker.ts'
import { scratch } from '../world/scratch.ts'
import { encoded, FakeSts, REGION, SESSION, signCall } from '../world/sts.ts'

const TYPE = 'urn:x-countersign:client-assertion-type:aws-caller-identity'
const URI = `aws://aws/${ACCOUNT}/role/settlement`
const POLICY = `
@id("settlement") @owner("team-agents")
permit (principal == AwsRole::"${ACCOUNT}/settlement", action == Action::"trades:read", resource)
when { principal.account == "${ACCOUNT}" && principal has uniqueId && principal.uniqueId == "AROAEXAMPLEEXAMPLE22" };
@id("pods") @owner("team-agents")
permit (principal == ServiceAccount::"prod-eu/agents/planner", action == Action::"trades:read", resource);
`

async function start(t: TestContext) {
  const trust: object[] = []
  let sts: FakeSts | undefined
  const world = await startBroker(t, {
    policies: { 'trades.cedar': POLICY },
    settings: { trust },
    async before({ issuer }, clock) {
      sts = await new FakeSts(clock).listen(t)
      const ca = join(scratch(t), 'sts.pem')
      writeFileSync(ca, sts.ca)
      const callerIdentity = { regions: [REGION], ca, allowPrivate: true }
      const jwks = { inline: { keys: [] } }
      trust.push(
        {
          kubernetes: {
            cluster: 'prod-eu',
            issuer,
            jwks: { discovery: true, allowPrivate: true },
            replay: 'once',
          },
        },
        { aws: { account: ACCOUNT, issuer: AWS_ISSUER, jwks, callerIdentity } },
      )
    },
    door: () => sts?.door() ?? assert.fail(),
  })
  const challenge = async () => {
    const answer = await world.app.inject({ method: 'POST', url: '/challenge' })
    return String(answer.json().attestation_challenge)
  }
  const call = async (nonce?: string) =>
    signCall(SESSION, {
      audience: ISSUER,
      nonce: nonce ?? (await challenge()),
      at: world.clock.now(),
    })
  const form = (assertion: string, change: Record<string, string> = {}) => {
    const { assertion: _gone, ...rest } = world.form()
    const client = { client_assertion_type: TYPE, client_assertion: assertion }
    return { ...rest, grant_type: 'client_credentials', ...client, ...change }
  }
  const show = (members: object, change?: Record<string, string>) =>
    world.ask(form(encoded(members), change))
  const reason = () => world.events().at(-1)?.reason
  return { world, sts: sts ?? assert.fail(), challenge, call, show, reason }
}

test('a signed GetCallerIdentity becomes a token, under a policy on the role', async (t) => {
  const { world, call, show } = await start(t)
  const members = await call()
  const answer = await show(members, { client_id: URI })
  assert.equal(answer.status, 200, JSON.stringify(world.events().at(-1)))
  const claims = decodeJwt(String(answer.body['access_token']))
  assert.deepEqual([claims.sub, claims['client_id'], claims.aud], [URI, URI, RESOURCE])
  assert.ok(Number(claims.exp) <= world.clock.seconds() + 900)
  const event = world.events().at(-1)
  assert.equal(event?.evidence[0]?.format, 'aws-caller-identity')
  assert.match(String(event?.evidence[0]?.digest), /^[\w-]{43}$/)
  assert.equal(event?.question?.actor.trust, `aws:${ACCOUNT}`)
  assert.equal(event?.question?.actor.facts['sessionName']?.grade, 'D')
  for (const secret of [members.session_token, members.signature]) {
    assert.ok(!world.written().includes(secret))
  }
})

test('the same request again, and the same challenge signed again, get nothing', async (t) => {
  const { call, show, reason, challenge, world } = await start(t)
  const nonce = await challenge()
  const members = await call(nonce)
  assert.equal((await show(members)).status, 200)
  const again = await show(members)
  assert.deepEqual([again.status, again.body['error']], [401, 'invalid_client'])
  assert.equal(reason(), 'evidence_replayed')
  world.clock.advance(1)
  const resigned = await call(nonce)
  assert.notEqual(resigned.signature, members.signature)
  assert.equal((await show(resigned)).status, 401)
  assert.equal(reason(), 'evidence_replayed')
})

test('of many requests at once over one challenge, one gets a token', async (t) => {
  const { call, show, challenge, world } = await start(t)
  const nonce = await challenge()
  const first = await call(nonce)
  world.clock.advance(1)
  const second = await call(nonce)
  const answers = await Promise.all([first, second, first, second, second].map((c) => show(c)))
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
})

test('a refused request burns neither signature nor challenge', async (t) => {
  const { call, show, reason } = await start(t)
  const members = await call()
  const denied = await show(members, { scope: 'trades:delete' })
  assert.deepEqual([denied.status, reason()], [400, 'policy_denied'])
  assert.equal((await show(members, { client_id: 'aws://aws/1/role/x' })).status, 401)
  assert.equal(reason(), 'client_mismatched')
  assert.equal((await show(members)).status, 200)
})

test('an STS that does not answer is a 503 with Retry-After; clusters are served', async (t) => {
  const { world, sts, call, show, reason } = await start(t)
  sts.fault = 'error'
  const answer = await show(await call())
  assert.deepEqual([answer.status, reason()], [503, 'sts_unavailable'])
  assert.equal(answer.body['error'], 'temporarily_unavailable')
  assert.equal(answer.headers['retry-after'], '5')
  assert.equal((await world.ask(world.form())).status, 200)
})

const OTHER_TYPES = [
  ['a JWT', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'],
  ['a JWT-SVID', 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe'],
] as const
for (const [what, type] of OTHER_TYPES) {
  test(`a call that says it is ${what} is none`, async (t) => {
    const { call, show, reason } = await start(t)
    assert.equal((await show(await call(), { client_assertion_type: type })).status, 401)
    assert.equal(reason(), 'token_malformed')
  })
}

test('a JWT that says it is a call is none, and a call on the other carrier is none', async (t) => {
  const { world, call, show, reason } = await start(t)
  assert.equal((await show({}, { client_assertion: world.cluster.mint() })).status, 401)
  assert.equal(reason(), 'token_malformed')
  const answer = await world.ask(world.form({ assertion: encoded(await call()) }))
  assert.deepEqual([answer.status, answer.body['error']], [400, 'invalid_grant'])
  assert.equal(reason(), 'token_malformed')
})

test('without callerIdentity in any entry it is type_refused', async (t) => {
  const world = await startBroker(t)
  const { assertion: _gone, ...form } = world.form()
  const answer = await world.ask({
    ...form,
    grant_type: 'client_credentials',
    client_assertion_type: TYPE,
    client_assertion: encoded({}),
  })
  assert.deepEqual([answer.status, world.events().at(-1)?.reason], [401, 'type_refused'])
})
