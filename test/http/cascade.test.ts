/** What is revoked takes with it whatever came of it, through every hop: an actor, its trust, a key that signed a link. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { nameOf } from '../../src/lineage.ts'
import type { RevocationKind } from '../../src/store/store.ts'
import {
  ACCESS_TOKEN,
  type DelegationWorld,
  HELPER,
  PLANNER,
  startDelegation,
} from '../world/delegation.ts'

const THIRD = 'k8s://prod-eu/ns/agents/sa/third'

function revoke({ broker, clock }: DelegationWorld, kind: RevocationKind, target: string) {
  const name = nameOf(kind, target)
  const when = { at: clock.seconds(), until: null, liftedAt: null }
  return broker.revocations.revoke({ kind, name, target, ...when, by: 'test', reason: '' })
}

async function isActive({ app, actor }: DelegationWorld, token: string, holder: string) {
  const form = {
    token,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: actor(holder),
  }
  const response = await app.inject({
    method: 'POST',
    url: '/introspect',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams(form).toString(),
  })
  assert.equal(response.statusCode, 200, response.body)
  return response.json()['active'] as boolean
}

/** The planner's own token, handed to the helper, and by it to a third. */
async function handedOn(world: DelegationWorld) {
  const { issued, form, exchangeForm, actor } = world
  const subject_token_type = ACCESS_TOKEN
  const own = await issued(form({ assertion: actor('planner'), may_act: HELPER }))
  const helped = exchangeForm({
    subject_token: own,
    subject_token_type,
    actor_token: actor('helper'),
    may_act: THIRD,
  })
  const second = await issued(helped)
  const actor_token = actor('third')
  const last = { subject_token: second, subject_token_type, actor_token }
  return { own, second, third: await issued(exchangeForm(last)) }
}

test('an actor that is revoked takes with it what was handed on from its own token', async (t) => {
  for (const uri of [PLANNER, HELPER, THIRD]) {
    const world = await startDelegation(t)
    const { third } = await handedOn(world)
    assert.equal(await isActive(world, third, 'fourth'), false, 'it is nobody else’s matter')
    await revoke(world, 'actor', uri)
    const { status } = await world.ask(
      world.exchangeForm({
        subject_token: third,
        subject_token_type: ACCESS_TOKEN,
        actor_token: world.actor('third'),
      }),
    )
    assert.equal(status, 400, uri)
    if (uri !== THIRD) assert.equal(await isActive(world, third, 'third'), false, uri)
  }
})

test('what is exchanged for a token names the key of that token, which may be revoked after its own', async (t) => {
  const world = await startDelegation(t)
  const { own, second, third } = await handedOn(world)
  const key = nameOf('key', decodeProtectedHeader(own).kid ?? '')
  for (const [token, named] of [
    [own, false],
    [second, true],
    [third, true],
  ] as const) {
    assert.equal((decodeJwt(token)['lineage'] as string[]).includes(key), named)
  }
})

test('the event of a token says whom it lets act', async (t) => {
  const world = await startDelegation(t)
  await handedOn(world)
  assert.deepEqual(
    world.events().map(({ token }) => token?.mayAct),
    [HELPER, THIRD, undefined],
  )
})

test('the event of an exchange names what it rests on, so that an operator can revoke just that', async (t) => {
  const world = await startDelegation(t)
  const subject_token = world.idToken()
  const form = world.exchangeForm({ subject_token })
  const delegated = await world.issued(form)
  const [name = ''] = world.events().at(-1)?.origin?.authority ?? []
  await world.broker.revocations.revoke({
    ...{ kind: 'evidence', name, target: name, at: world.clock.seconds() },
    ...{ until: null, liftedAt: null, by: 'test', reason: '' },
  })
  assert.equal(await isActive(world, delegated, 'planner'), false)
  assert.equal((await world.ask(form)).status, 400)
  assert.equal((await world.ask(world.form({ assertion: world.actor('planner') }))).status, 200)
})
