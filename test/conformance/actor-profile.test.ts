/** The contract of `act`: how tokens say who acts for whom. Sections are numbers of our manifest. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { issue } from '../world/authority.ts'
import {
  ACCESS_TOKEN,
  ALICE,
  type DelegationWorld,
  HELPER,
  PLANNER,
  startDelegation,
} from '../world/delegation.ts'

type Actor = {
  readonly iss: string
  readonly sub: string
  readonly sub_profile: string
  readonly act?: Actor
}

const actOf = (token: string) => decodeJwt(token)['act'] as Actor | undefined
const next = (world: DelegationWorld, subject: string, actor: string, mayAct: string | null) =>
  world.exchangeForm({
    subject_token: subject,
    subject_token_type: ACCESS_TOKEN,
    actor_token: world.actor(actor),
    ...(mayAct !== null && { may_act: `k8s://prod-eu/ns/agents/sa/${mayAct}` }),
  })

for (const title of ['§1.1 an actor has iss and sub', '§1.2 an actor has sub_profile'])
  test(title, async (t) => {
    const world = await startDelegation(t)
    const parent = await world.issued(world.exchangeForm({ may_act: HELPER }))
    const act = actOf(await world.issued(next(world, parent, 'helper', null)))
    assert.deepEqual(
      [act?.iss, act?.sub, act?.sub_profile, act?.act?.sub_profile],
      [world.issuer, HELPER, 'service', 'ai_agent'],
    )
  })

test('§1.3 no act where nobody acts for another', async (t) => {
  const world = await startDelegation(t)
  const own = await world.issued(world.form())
  assert.equal(actOf(own), undefined)
  const exchanged = await world.issued(next(world, own, 'planner', null))
  assert.equal(actOf(exchanged), undefined)
  assert.equal(decodeJwt(exchanged).sub, PLANNER)
})

test('§1.4 what an actor says of itself comes through, members unknown here included', async (t) => {
  const world = await startDelegation(t)
  const act = {
    iss: 'https://other.example',
    sub: 'a',
    'urn:x': [1, { deep: true }],
    act: { iss: 'https://x.example', sub: 'b' },
  }
  const token = await world.issued(
    world.exchangeForm({
      subject_token: world.idToken(({ claims }) => Object.assign(claims, { act })),
    }),
  )
  assert.deepEqual(actOf(token)?.act, act)
})

for (const title of ['§1.5 four actors are taken', '§1.6 a fifth is not'])
  test(title, async (t) => {
    const world = await startDelegation(t)
    const names = ['planner', 'helper', 'third', 'fourth', 'fifth']
    let token = await world.issued(world.exchangeForm({ may_act: HELPER }))
    for (const [index, name] of names.entries()) {
      if (index === 0) continue
      const form = next(world, token, name, names[index + 1] ?? null)
      if (index < 4) {
        token = await world.issued(form)
        continue
      }
      const { status, body } = await world.ask(form)
      assert.deepEqual([status, body['error']], [400, 'invalid_request'])
      assert.equal(world.events().at(-1)?.reason, 'chain_too_deep')
    }
  })

test('§1.7 cnf is the key of whoever acts now', async (t) => {
  const world = await startDelegation(t)
  const ask = async (
    certificate: Buffer,
    subject: string,
    actor: string,
    mayAct: string | null,
  ) => {
    const { token } = await world.broker.exchange({
      id: world.broker.newId(),
      grantType: 'test',
      evidence: { role: 'actor', carrier: 'actor_token', value: world.actor(actor) },
      attestation: null,
      subject: {
        carrier: 'subject_token',
        value: subject,
        type: subject === alice ? 'urn:ietf:params:oauth:token-type:id_token' : ACCESS_TOKEN,
      },
      mayAct,
      clientId: null,
      wanted: { type: 'access_token' },
      requestedActor: null,
      resources: ['https://mcp.example.com'],
      audiences: [],
      scopes: ['trades:read'],
      sourceIp: null,
      proofs: {
        dpop: null,
        method: 'POST',
        url: `${world.issuer}/token`,
        jkt: null,
        token: null,
        areCredential: false,
        certificates: [certificate],
      },
    })
    return token
  }
  const alice = world.idToken()
  const [first, second] = [issue('one').der, issue('two').der]
  const parent = await ask(first, alice, 'planner', HELPER)
  const child = await ask(second, parent, 'helper', null)
  const cnf = (token: string) => JSON.stringify(decodeJwt(token)['cnf'])
  assert.match(cnf(child), /x5t#S256/)
  assert.notEqual(cnf(child), cnf(parent))
})

for (const title of [
  '§1.8 a workload’s own credential is an actor',
  '§1.11 the person stays the subject',
])
  test(title, async (t) => {
    const world = await startDelegation(t)
    const token = await world.issued(world.exchangeForm())
    assert.deepEqual([decodeJwt(token).sub, actOf(token)?.sub], [ALICE, PLANNER])
  })

test('§1.9 a delegated token is no actor', async (t) => {
  const world = await startDelegation(t)
  const delegated = await world.issued(world.exchangeForm())
  const { status, body } = await world.ask(world.exchangeForm({ actor_token: delegated }))
  assert.deepEqual([status, body['error']], [400, 'invalid_request'])
})

test('§1.10 may_act ends with the token that it was asked for', async (t) => {
  const world = await startDelegation(t)
  const parent = await world.issued(world.exchangeForm({ may_act: HELPER }))
  const child = await world.issued(next(world, parent, 'helper', null))
  assert.equal('may_act' in decodeJwt(child), false)
})
