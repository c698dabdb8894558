/** Subject tokens from the side of a thief: what the answers tell, whom a provider names, and what is no token of a person. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { nameOf } from '../../src/lineage.ts'
import { ISSUER } from '../world/broker.ts'
import {
  ACCESS_TOKEN,
  CORP,
  type DelegationWorld,
  HELPER,
  PLANNER,
  startDelegation,
} from '../world/delegation.ts'

const AS_CLIENT = {
  actor_token: null,
  actor_token_type: null,
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
}

function revoke({ broker, clock }: DelegationWorld, token: string) {
  const target = String(decodeJwt(token).jti)
  const when = { at: clock.seconds(), until: null, liftedAt: null }
  const what = { kind: 'token', name: nameOf('token', target), target } as const
  return broker.revocations.revoke({ ...what, ...when, by: 'test', reason: '' })
}

test('a thief who authenticates as a client hears the same of every token that is not its own', async (t) => {
  const world = await startDelegation(t)
  const { ask, issued, exchangeForm, actor } = world
  const seen = await issued(exchangeForm())
  const revoked = await issued(exchangeForm({ may_act: HELPER }))
  await revoke(world, revoked)
  const heard = []
  for (const subject_token of ['x.y.z', `${seen.slice(0, -4)}AAAA`, seen, revoked]) {
    const client_assertion = actor('helper')
    const change = { ...AS_CLIENT, client_assertion, subject_token_type: ACCESS_TOKEN }
    const { status, body } = await ask(exchangeForm({ ...change, subject_token }))
    heard.push(JSON.stringify([status, body['error'], body['error_description']]))
  }
  const [first = ''] = heard
  assert.deepEqual(heard, [first, first, first, first])
  assert.match(first, /^\[400,"invalid_request"/)
})

test('RFC 8693 §4.4: a person’s token that names who may act is for nobody else', async (t) => {
  const world = await startDelegation(t)
  for (const [title, mayAct, status] of [
    ['the planner', { sub: PLANNER }, 200],
    ['the planner, of ours', { iss: ISSUER, sub: PLANNER }, 200],
    ['somebody else', { sub: HELPER }, 400],
    ['somebody of that name elsewhere', { iss: CORP, sub: PLANNER }, 400],
    ['nobody by name', { client_id: PLANNER }, 400],
    ['no object', PLANNER, 400],
    ['null', null, 400],
  ] as const) {
    const subject_token = world.idToken(({ claims }) => Object.assign(claims, { may_act: mayAct }))
    const answer = await world.ask(world.exchangeForm({ subject_token }))
    assert.equal(answer.status, status, title)
    if (status === 400) assert.equal(answer.body['error'], 'invalid_request')
    else assert.equal('may_act' in decodeJwt(String(answer.body['access_token'])), false)
  }
})

test('an actor that a provider names is not the caller, whatever it is called there', async (t) => {
  const world = await startDelegation(t)
  const inbound = { iss: CORP, sub: PLANNER }
  const subject_token = world.idToken(({ claims }) => Object.assign(claims, { act: inbound }))
  const { act } = decodeJwt(await world.issued(world.exchangeForm({ subject_token })))
  assert.deepEqual(act, { iss: ISSUER, sub: PLANNER, sub_profile: 'ai_agent', act: inbound })
})

test('what a provider says about a person to log them out is no ID token', async (t) => {
  const world = await startDelegation(t)
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
  const subject_token = world.idToken(({ claims }) => Object.assign(claims, { events, jti: 'a' }))
  const { status, body } = await world.ask(world.exchangeForm({ subject_token }))
  assert.deepEqual([status, body['error']], [400, 'invalid_request'])
  assert.equal(world.events().at(-1)?.reason, 'type_refused')
})

test('to bring a person’s token here is to act for them, also for whom their provider calls the actor', async (t) => {
  const world = await startDelegation(t)
  const act = { iss: ISSUER, sub: PLANNER }
  for (const [groups, status] of [
    [['traders'], 200],
    [['staff'], 400],
  ] as const) {
    const subject_token = world.idToken(({ claims }) => Object.assign(claims, { act, groups }))
    const answer = await world.ask(world.exchangeForm({ subject_token }))
    assert.equal(answer.status, status, groups.join())
    assert.equal(world.events().at(-1)?.question?.operation, 'delegate')
    if (status === 200) assert.deepEqual(decodeJwt(String(answer.body['access_token']))['act'], act)
  }
})
