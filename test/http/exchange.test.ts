/** Token exchange (RFC 8693) at the token endpoint: people, agents and sub-agents. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { type Held, UNBOUND } from '../../src/possession.ts'
import { Refusal } from '../../src/refusal.ts'
import { issue } from '../world/authority.ts'
import { RESOURCE } from '../world/broker.ts'
import {
  ACCESS_TOKEN,
  ALICE,
  CHAT,
  CHAT_SERVER,
  type DelegationWorld,
  HELPER,
  ID_TOKEN,
  PLANNER,
  startDelegation,
} from '../world/delegation.ts'

const ISSUER = 'https://countersign.test'

test('an agent acts for a person: sub is the person, act the agent, client_id too', async (t) => {
  const world = await startDelegation(t)
  const { status, body } = await world.ask(world.exchangeForm())
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(body['issued_token_type'], ACCESS_TOKEN)
  assert.equal(body['token_type'], 'Bearer')
  const claims = decodeJwt(String(body['access_token']))
  assert.equal(claims.sub, ALICE)
  assert.equal(claims['client_id'], PLANNER)
  assert.equal(claims['scope'], 'trades:read')
  assert.deepEqual(claims['act'], { iss: ISSUER, sub: PLANNER, sub_profile: 'ai_agent' })
})

test('a sub-agent acts for the agent, by may_act: the chain is kept whole and scopes only narrow', async (t) => {
  const world = await startDelegation(t)
  const parent = await world.issued(
    world.exchangeForm({ scope: 'trades:read trades:write', may_act: HELPER }),
  )
  assert.deepEqual(decodeJwt(parent)['may_act'], { iss: ISSUER, sub: HELPER })
  const child = await world.issued(
    world.exchangeForm({
      subject_token: parent,
      subject_token_type: ACCESS_TOKEN,
      actor_token: world.actor('helper'),
      scope: 'trades:read',
    }),
  )
  const claims = decodeJwt(child)
  assert.equal(claims.sub, ALICE)
  assert.equal(claims['client_id'], HELPER)
  assert.equal(claims['scope'], 'trades:read')
  assert.equal('may_act' in claims, false)
  assert.deepEqual(claims['act'], {
    iss: ISSUER,
    sub: HELPER,
    sub_profile: 'service',
    act: { iss: ISSUER, sub: PLANNER, sub_profile: 'ai_agent' },
  })
  const parentLineage = decodeJwt(parent)['lineage'] as string[]
  const childLineage = claims['lineage'] as string[]
  assert.deepEqual(
    parentLineage.filter((name) => !childLineage.includes(name)),
    [],
  )
})

test('the server behind an audience exchanges what it was sent for what the map allows', async (t) => {
  const world = await startDelegation(t)
  const chat = await world.issued(
    world.exchangeForm({ resource: CHAT, scope: 'chat:use chat:admin' }),
  )
  const upstream = await world.issued(
    world.exchangeForm({
      subject_token: chat,
      subject_token_type: ACCESS_TOKEN,
      actor_token: world.actor('chat'),
      resource: null,
      audience: RESOURCE,
      scope: null,
    }),
  )
  const claims = decodeJwt(upstream)
  assert.equal(claims.aud, RESOURCE)
  assert.equal(claims['scope'], 'trades:read')
  assert.equal((claims['act'] as { sub: string }).sub, CHAT_SERVER)
})

const BOUND: Held = { sender: 'mtls', confirmation: { 'x5t#S256': 'x' }, proof: null }

/** Asks without HTTP, so that the caller holds a key. */
async function reasonOf(world: DelegationWorld, token: string, held: Held): Promise<string> {
  const { broker, issuer } = world
  const certificates = held.confirmation === null ? [] : [issue('holder').der]
  const proofs = {
    dpop: null,
    jkt: null,
    token: null,
    method: 'POST',
    url: `${issuer}/token`,
    certificates,
    areCredential: false,
  }
  try {
    await broker.exchange({
      id: broker.newId(),
      grantType: 'test',
      evidence: { role: 'actor', carrier: 'actor_token', value: world.actor('helper') },
      attestation: null,
      subject: { carrier: 'subject_token', value: token, type: ACCESS_TOKEN },
      mayAct: null,
      clientId: null,
      wanted: { type: 'access_token' },
      requestedActor: null,
      audiences: [],
      resources: [RESOURCE],
      scopes: ['trades:read'],
      sourceIp: null,
      proofs,
    })
    return 'issued'
  } catch (error) {
    return error instanceof Refusal ? error.reason : String(error)
  }
}

test('a token that is bound to a key does not become one that is not', async (t) => {
  const world = await startDelegation(t)
  const { broker, issuer } = world
  const { token } = await broker.exchange({
    id: broker.newId(),
    grantType: 'test',
    evidence: { role: 'actor', carrier: 'actor_token', value: world.actor('planner') },
    attestation: null,
    subject: { carrier: 'subject_token', value: world.idToken(), type: ID_TOKEN },
    mayAct: HELPER,
    clientId: null,
    wanted: { type: 'access_token' },
    requestedActor: null,
    audiences: [],
    resources: [RESOURCE],
    scopes: ['trades:read'],
    sourceIp: null,
    proofs: {
      dpop: null,
      jkt: null,
      token: null,
      method: 'POST',
      url: `${issuer}/token`,
      certificates: [issue('planner').der],
      areCredential: false,
    },
  })
  assert.equal(await reasonOf(world, token, UNBOUND), 'sender_weakened')
  assert.equal(await reasonOf(world, token, BOUND), 'issued')
})
