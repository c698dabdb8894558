/** An agent that acts for somebody, by our library and by `countersign token`, against a broker. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { AgentError, type AgentOptions, agent, subjectFile } from '../../src/agent/index.ts'
import { UsageError } from '../../src/cli/command.ts'
import { RESOURCE } from '../world/broker.ts'
import {
  ACCESS_TOKEN,
  ALICE,
  type DelegationWorld,
  HELPER,
  ID_TOKEN,
  PLANNER,
  startDelegation,
} from '../world/delegation.ts'
import { listening, runToken } from '../world/listening.ts'
import { scratch } from '../world/scratch.ts'

function acting(world: DelegationWorld, name: string, options: Partial<AgentOptions>) {
  return agent({
    issuer: world.issuer,
    resource: RESOURCE,
    source: async () => world.actor(name),
    now: () => world.clock.now(),
    ...options,
  })
}

const forAlice = (world: DelegationWorld, type = 'id_token') => ({
  scopes: ['trades:read', 'trades:write'],
  subject: async () => ({ token: world.idToken(), type }),
})

for (const type of ['id_token', ID_TOKEN]) {
  test(`agent({ subject }): an ID token as ${type}`, async (t) => {
    const world = await listening(t, startDelegation)
    const claims = decodeJwt(await acting(world, 'planner', forAlice(world, type)).token())
    assert.equal(claims.sub, ALICE)
    assert.equal(claims['client_id'], PLANNER)
    assert.equal('may_act' in claims, false)
  })
}

test('agent({ mayAct }): the sub-agent goes on from there, and reads its subject anew each time', async (t) => {
  const world = await listening(t, startDelegation)
  const planner = acting(world, 'planner', { ...forAlice(world), mayAct: HELPER })
  let read = 0
  const helper = acting(world, 'helper', {
    scopes: ['trades:read'],
    subject: async () => {
      read += 1
      return { token: await planner.token(), type: 'access_token' }
    },
  })
  const claims = decodeJwt(await helper.token())
  assert.equal(claims.sub, ALICE)
  assert.equal(claims['client_id'], HELPER)
  assert.equal(claims['scope'], 'trades:read')
  await helper.token()
  assert.equal(read, 1, 'one that is still good is shown again')
  world.clock.advance(800)
  await helper.token()
  assert.equal(read, 2)
})

test('agent({ subject }): a credential that goes as a client assertion', async (t) => {
  const world = await listening(t, startDelegation)
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  const source = async () => ({ type, assertion: world.actor('planner') })
  const claims = decodeJwt(await acting(world, 'planner', { ...forAlice(world), source }).token())
  assert.deepEqual([claims.sub, claims['client_id']], [ALICE, PLANNER])
})

test('agent({ subject }): what cannot be asked is an error of its own', async (t) => {
  const world = await listening(t, startDelegation)
  const certified = async () => ({ clientId: 'spiffe://prod.example/planner' })
  const rows: readonly (readonly [string, Partial<AgentOptions>])[] = [
    // Over plain HTTP there is no certificate that could be the actor's.
    ['invalid_request', { ...forAlice(world), source: certified }],
    ['subject_unreadable', { subject: subjectFile('/nowhere/token', 'id_token') }],
    ['invalid_request', { ...forAlice(world), mayAct: 'helper' }],
    ['invalid_request', forAlice(world, 'access_token')],
  ]
  for (const [code, options] of rows) {
    const asking = acting(world, 'planner', options).token()
    await assert.rejects(
      asking,
      (error) => error instanceof AgentError && error.code === code,
      code,
    )
  }
})

test('countersign token --subject-token-file: for Alice, and on to the helper', async (t) => {
  const world = await listening(t, startDelegation)
  const folder = scratch(t)
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), `${text}\n`)
    return join(folder, name)
  }
  const parent = await runToken(
    world,
    ...['--token-file', file('planner', world.actor('planner')), '--may-act', HELPER],
    ...['--subject-token-file', file('alice', world.idToken()), '--subject-token-type', 'id_token'],
    ...['--scope', 'trades:read', '--scope', 'trades:write'],
  )
  assert.equal(parent.code, 0, parent.out)
  const { code, out } = await runToken(
    world,
    ...['--token-file', file('helper', world.actor('helper')), '--scope', 'trades:read', '--json'],
    ...['--subject-token-file', file('parent', parent.out), '--subject-token-type', 'access_token'],
  )
  assert.equal(code, 0, out)
  const response = JSON.parse(out)
  assert.equal(response.issued_token_type, ACCESS_TOKEN)
  const { sub, client_id: actor } = decodeJwt(response.access_token)
  assert.deepEqual([sub, actor], [ALICE, HELPER])
})

test('--subject-token-file and --subject-token-type go together', async (t) => {
  const world = await listening(t, startDelegation)
  for (const option of ['--subject-token-file', '--subject-token-type']) {
    await assert.rejects(runToken(world, '--token-file', '/nowhere', option, 'x'), UsageError)
  }
})
