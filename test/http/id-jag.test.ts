/** ID-JAGs at the token endpoint: those of a provider taken, and ours made out to another authorization server. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { thumbprint, UNBOUND } from '../../src/possession.ts'
import { spend } from '../../src/replay.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { issue } from '../world/authority.ts'
import { ISSUER, RESOURCE, startBroker } from '../world/broker.ts'
import {
  ALICE,
  CLIENT_ASSERTION,
  ID_JAG,
  JWT_BEARER,
  ORDERS,
  PARTNER,
  PLANNER,
  startChaining,
} from '../world/chaining.ts'

import { type Holder, holder } from '../world/proof.ts'

test('an ID-JAG gives its client what it says, in either place, as the same authority', async (t) => {
  const world = await startChaining(t)
  const granted = await world.ask(world.grantForm())
  const exchanged = await world.ask(world.grantExchange())
  for (const { status, body } of [granted, exchanged]) {
    assert.equal(status, 200, JSON.stringify(body))
    const claims = decodeJwt(String(body['access_token']))
    assert.equal(claims.sub, ALICE)
    assert.equal(claims.aud, RESOURCE)
    assert.equal(claims['client_id'], PLANNER)
    assert.equal(claims['scope'], 'trades:read trades:write')
    assert.deepEqual(claims['act'], { iss: ISSUER, sub: PLANNER, sub_profile: 'ai_agent' })
    assert.equal('refresh_token' in body, false)
  }
  assert.equal('issued_token_type' in granted.body, false)
  const [first, second] = world.events().map(({ question }) => question)
  assert.deepEqual({ ...first, at: 0 }, { ...second, at: 0 })
  assert.equal(first?.operation, 'delegate')
  assert.deepEqual(
    world.events()[0]?.evidence.map(({ carrier }) => carrier),
    ['client_assertion', 'assertion'],
  )
})

test('without a resource parameter it is for what the ID-JAG says, and scopes only narrow', async (t) => {
  const world = await startChaining(t)
  const assertion = world.idJag(({ claims }) =>
    Object.assign(claims, { resource: `${RESOURCE}/`, scope: 'trades:read trades:delete' }),
  )
  const { status, body } = await world.ask(
    world.grantForm({ assertion, resource: null, scope: 'trades:read trades:write' }),
  )
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(body['scope'], 'trades:read')
  assert.equal(decodeJwt(String(body['access_token'])).aud, RESOURCE)
})

test('it is good once, whatever carries it, and a refusal does not burn it', async (t) => {
  const world = await startChaining(t)
  const assertion = world.idJag()
  const refused = await world.ask(world.grantForm({ assertion, scope: 'trades:delete' }))
  assert.equal(refused.body['error'], 'invalid_scope')
  assert.equal((await world.ask(world.grantForm({ assertion }))).status, 200)
  const again = await world.ask(world.grantForm({ assertion }))
  assert.deepEqual([again.status, again.body['error']], [400, 'invalid_grant'])
  const moved = await world.ask(world.grantExchange({ subject_token: assertion }))
  assert.deepEqual([moved.status, moved.body['error']], [400, 'invalid_request'])
  assert.equal(world.events().at(-1)?.reason, 'evidence_replayed')
})

test('shown many times at once, it is good once, in whichever place', async (t) => {
  const world = await startChaining(t)
  const token = world.idJag()
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      world.ask(
        n % 2 === 0
          ? world.grantForm({ assertion: token })
          : world.grantExchange({ subject_token: token }),
      ),
    ),
  )
  const issued = answers.filter(({ status }) => status === 200)
  assert.equal(issued.length, 1)
  assert.equal(world.events().filter(({ reason }) => reason === 'evidence_replayed').length, 19)
})

test('it stays good where its event could not be written', async (t) => {
  let fails = true
  const world = await startChaining(t, { auditFails: () => fails })
  const form = world.grantForm()
  assert.equal((await world.ask(form)).status, 503)
  fails = false
  assert.equal((await world.ask(form)).status, 200)
})

test('it is taken back where the token does not leave', async (t) => {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  const authority = {
    by: 'users:corp',
    once: 'jag-1',
    expiresAt: 100,
    carrier: 'assertion',
  } as const
  const takeBack = await spend(store, { identity: null, held: UNBOUND, authority })
  const again = { identity: null, held: UNBOUND, authority }
  await assert.rejects(spend(store, again), { reason: 'evidence_replayed', carrier: 'assertion' })
  await spend(store, { ...again, authority: { ...authority, by: 'users:other' } })
  await takeBack()
  await spend(store, again)
})

test('one that is bound to a key is good with that key, and the token is bound to it too', async (t) => {
  const world = await startChaining(t)
  const leaf = issue('planner').der
  const own = thumbprint(leaf)
  const ask = (certificates: readonly Buffer[], x5t: string) =>
    world.broker.exchange({
      id: world.broker.newId(),
      grantType: JWT_BEARER,
      evidence: { role: 'workload', carrier: 'client_assertion', value: world.actor('planner') },
      attestation: null,
      subject: {
        carrier: 'assertion',
        type: ID_JAG,
        value: world.idJag(({ claims }) => Object.assign(claims, { cnf: { 'x5t#S256': x5t } })),
      },
      mayAct: null,
      clientId: null,
      wanted: { type: 'access_token' },
      requestedActor: null,
      resources: [],
      audiences: [],
      scopes: [],
      sourceIp: null,
      proofs: {
        dpop: null,
        method: 'POST',
        url: `${ISSUER}/token`,
        jkt: null,
        token: null,
        areCredential: false,
        certificates,
      },
    })
  const { token } = await ask([leaf], own)
  assert.deepEqual(decodeJwt(token)['cnf'], { 'x5t#S256': own })
  for (const refused of [ask([], own), ask([leaf], 'another')]) {
    await assert.rejects(refused, { reason: 'subject_unusable', carrier: 'assertion' })
  }
})

test('one that is bound to a key of DPoP is good with a proof of that key alone', async (t) => {
  const world = await startChaining(t)
  const [owner, thief] = [holder('owner'), holder('thief')]
  const assertion = () =>
    world.idJag(({ claims }) => Object.assign(claims, { cnf: { jkt: owner.jkt } }))
  const at = world.clock.seconds()
  const url = `${ISSUER}/token`
  const nonce = String(
    (await world.ask(world.grantForm(), { dpop: owner.prove({ url, at }) })).headers['dpop-nonce'],
  )
  const ask = (who: Holder | null) =>
    world.ask(
      world.grantForm({ assertion: assertion() }),
      who === null ? {} : { dpop: who.prove({ url, at, nonce }) },
    )
  for (const who of [null, thief]) {
    const { status, body } = await ask(who)
    assert.deepEqual([status, body['error']], [400, 'invalid_grant'])
    assert.equal(world.events().at(-1)?.reason, 'subject_unusable')
  }
  const { status, body } = await ask(owner)
  assert.deepEqual([status, body['token_type']], [200, 'DPoP'])
  assert.deepEqual(decodeJwt(String(body['access_token']))['cnf'], { jkt: owner.jkt })
})

test('ours says who acts for whom, for what, to whom there', async (t) => {
  const world = await startChaining(t)
  const { status, body } = await world.ask(world.chainForm())
  assert.equal(status, 200, JSON.stringify(body))
  const { access_token, issued_token_type, token_type, scope, expires_in } = body
  assert.deepEqual(
    [issued_token_type, token_type, scope, expires_in],
    [ID_JAG, 'N_A', 'orders:read', 300],
  )
  const header = decodeProtectedHeader(String(access_token))
  assert.equal(header.typ, 'oauth-id-jag+jwt')
  const { jti, iat, exp, ...claims } = decodeJwt(String(access_token))
  assert.equal(Number(exp) - Number(iat), 300)
  assert.equal(jti, world.events().at(-1)?.id)
  assert.deepEqual(claims, {
    iss: ISSUER,
    sub: ALICE,
    aud: PARTNER,
    client_id: 'planner-at-partner',
    resource: ORDERS,
    scope: 'orders:read',
    act: { iss: ISSUER, sub: PLANNER, sub_profile: 'ai_agent' },
  })
})

test('policies decide about the resource of the other domain as about our own', async (t) => {
  const world = await startChaining(t)
  const some = await world.ask(world.chainForm({ scope: 'orders:read orders:write' }))
  assert.equal(some.body['scope'], 'orders:read')
  const none = await world.ask(world.chainForm({ scope: 'orders:write' }))
  assert.equal(none.body['error'], 'invalid_scope')
  assert.equal(world.events().at(-1)?.question?.audience, ORDERS)
})

test('an access token of ours becomes there what the map says, and no more', async (t) => {
  const world = await startChaining(t)
  const subject_token = await world.issued(
    world.exchangeForm({ scope: 'trades:read trades:write' }),
  )
  const subject_token_type = 'urn:ietf:params:oauth:token-type:access_token'
  const form = { subject_token, subject_token_type }
  const { body } = await world.ask(world.chainForm({ ...form, scope: null }))
  assert.equal(body['scope'], 'orders:read')
  const wide = await world.ask(world.chainForm({ ...form, scope: 'orders:write' }))
  assert.equal(wide.body['error'], 'invalid_scope')
})

const PAIRS = [
  ['no audience', { audience: null }],
  ['no resource', { resource: null }],
  ['an authorization server that is not known', { audience: 'https://as.other.example' }],
  ['a resource that it has not', { resource: RESOURCE }],
  ['ourselves', { audience: ISSUER }],
  ['its resource, as a token of ours', { requested_token_type: null, audience: null }],
] as const

for (const [title, change] of PAIRS) {
  test(`audience and resource are a pair: ${title}`, async (t) => {
    const world = await startChaining(t)
    const { status, body } = await world.ask(world.chainForm(change))
    assert.deepEqual([status, body['error']], [400, 'invalid_target'])
  })
}

test('an agent that no map names has its own URI as client id', async (t) => {
  const world = await startChaining(t, { chaining: { clients: {} } })
  assert.equal(decodeJwt(await world.issued(world.chainForm()))['client_id'], PLANNER)
})

test('two brokers: what one says, the other takes, and the chain goes on across both', async (t) => {
  const a = await startChaining(t)
  const b = await startBroker(t, {
    issuer: PARTNER,
    policies: {
      'orders.cedar': `
@id("agents-order") @owner("team-orders")
permit (
  principal in Namespace::"prod-eu/agents",
  action in [Action::"orders:read", Action::"delegate"],
  resource == Audience::"${ORDERS}"
) when { context.operation == "delegate" };`,
    },
    settings: {
      resources: [{ audience: ORDERS, scopes: ['orders:read'] }],
      users: [
        {
          name: 'domain-a',
          issuer: ISSUER,
          jwks: { inline: a.broker.metadata.publishedKeys() },
          accept: ['id-jag'],
          audiences: ['only ID-JAGs are taken'],
          clients: { 'planner-at-partner': PLANNER },
        },
      ],
    },
  })
  b.clock.advance((a.clock.now() - b.clock.now()) / 1000)
  const form = {
    grant_type: JWT_BEARER,
    assertion: await a.issued(a.chainForm()),
    client_assertion: b.cluster.mint(),
    client_assertion_type: CLIENT_ASSERTION,
  }
  const { status, body } = await b.ask(form)
  assert.equal(status, 200, `${JSON.stringify(body)} ${JSON.stringify(b.events().at(-1)?.detail)}`)
  const claims = decodeJwt(String(body['access_token']))
  assert.deepEqual(
    [claims.iss, claims.aud, claims.sub, claims['scope']],
    [PARTNER, ORDERS, 'user://domain-a/user:%2F%2Fcorp%2Falice', 'orders:read'],
  )
  assert.deepEqual(claims['act'], {
    iss: PARTNER,
    sub: PLANNER,
    sub_profile: 'service',
    act: { iss: ISSUER, sub: PLANNER, sub_profile: 'ai_agent' },
  })
  assert.equal((await b.ask(form)).body['error'], 'invalid_grant', 'once')
})

test('an actor of another issuer with the name of one of ours is another', async (t) => {
  const world = await startChaining(t)
  const act = { iss: 'https://as.other.example', sub: PLANNER }
  const assertion = world.idJag(({ claims }) => Object.assign(claims, { act }))
  const token = await world.issued(world.grantForm({ assertion }))
  assert.deepEqual(decodeJwt(token)['act'], {
    iss: ISSUER,
    sub: PLANNER,
    sub_profile: 'ai_agent',
    act,
  })
})

test('requested_actor is carried into the audit, and means nothing yet', async (t) => {
  const world = await startChaining(t)
  await world.issued(world.exchangeForm({ requested_actor: PLANNER }))
  assert.equal(world.events().at(-1)?.requestedActor, PLANNER)
  await world.issued(world.exchangeForm())
  assert.equal('requestedActor' in (world.events().at(-1) ?? {}), false)
  const { body } = await world.ask(world.exchangeForm({ requested_actor: 'nobody' }))
  assert.equal(body['error'], 'invalid_request')
})
