/** RFC 7523: JWTs as grants and as client authentication, each demand on either carrier. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startChaining } from '../world/chaining.ts'
import type { Draft } from '../world/issuer.ts'

const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** What is wrong with a platform’s token. */
const BAD: readonly (readonly [title: string, change: (token: Draft) => void])[] = [
  ['§3 (1) of another issuer', ({ claims }) => Object.assign(claims, { iss: 'https://a.example' })],
  ['§3 (1) of no issuer', ({ claims }) => delete claims['iss']],
  ['§3 (2) of no subject', ({ claims }) => delete claims['sub']],
  ['§3 (3) for another', ({ claims }) => Object.assign(claims, { aud: ['https://a.example'] })],
  ['§3 (3) for nobody', ({ claims }) => delete claims['aud']],
  ['§3 (4) over', ({ claims }) => Object.assign(claims, { iat: 1, nbf: 1, exp: 2 })],
  ['§3 (4) without an end', ({ claims }) => delete claims['exp']],
  ['§3 (5) not yet valid', ({ claims }) => Object.assign(claims, { nbf: 4_000_000_000 })],
  ['§3 (6) for years', ({ claims }) => Object.assign(claims, { exp: 4_000_000_000 })],
  ['§3 (7) unsigned', ({ header }) => Object.assign(header, { alg: 'none' })],
  ['§3 (7) with a MAC', ({ header }) => Object.assign(header, { alg: 'HS256' })],
  ['§3 (8) of another type', ({ header }) => Object.assign(header, { typ: 'logout+jwt' })],
]

for (const [title, change] of BAD) {
  test(`${title}: invalid_grant as a grant, invalid_client as a client`, async (t) => {
    const world = await startChaining(t)
    const token = world.cluster.mint(change)
    const grant = await world.ask(world.form({ assertion: token }))
    assert.deepEqual([grant.status, grant.body['error']], [400, 'invalid_grant'])
    const { assertion: _, ...rest } = world.form()
    const client = await world.ask({
      ...rest,
      grant_type: 'client_credentials',
      client_assertion: token,
      client_assertion_type: TYPE,
    })
    assert.deepEqual([client.status, client.body['error']], [401, 'invalid_client'])
  })
}

test('§3 (7) one with a changed signature, §3.1 a grant, §3.2 a client', async (t) => {
  const world = await startChaining(t)
  const token = world.actor('planner')
  const at = token.lastIndexOf('.') + 20
  const flipped = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
  const grant = await world.ask(world.form({ assertion: flipped }))
  assert.equal(grant.body['error'], 'invalid_grant')
})

test('§2.1 (1) a grant is one JWT', async (t) => {
  const world = await startChaining(t)
  assert.equal((await world.ask(world.form())).status, 200)
  const token = world.actor('planner')
  const two = await world.ask(world.form({ assertion: `${token} ${token}` }))
  assert.equal(two.body['error'], 'invalid_grant')
  const { assertion: _, ...none } = world.form()
  assert.equal((await world.ask(none)).body['error'], 'invalid_request')
})

test('§2.1 (2) a client beside a grant is validated, and its fault is its own', async (t) => {
  const world = await startChaining(t)
  assert.equal((await world.ask(world.grantForm())).status, 200)
  const { status, body } = await world.ask(world.grantForm({ client_assertion: 'a.b.c' }))
  assert.deepEqual([status, body['error']], [401, 'invalid_client'])
})

const CLIENTS = [
  ['§2.2 (1) without its type', { client_assertion_type: null }, 400, 'invalid_request'],
  ['§2.2 (1) of a type of its own', { client_assertion_type: 'jwt' }, 400, 'invalid_request'],
  ['§2.2 (2) that is no JWT', { client_assertion: 'secret' }, 401, 'invalid_client'],
] as const

for (const [title, change, code, error] of CLIENTS) {
  test(`${title}: client authentication is refused`, async (t) => {
    const world = await startChaining(t)
    const { status, body } = await world.ask(world.grantForm(change))
    assert.deepEqual([status, body['error']], [code, error])
  })
}

test('§3.1 an ID-JAG that is not valid', async (t) => {
  const world = await startChaining(t)
  const assertion = world.idJag(({ claims }) => Object.assign(claims, { exp: 2, iat: 1 }))
  const { status, body } = await world.ask(world.grantForm({ assertion }))
  assert.deepEqual([status, body['error']], [400, 'invalid_grant'])
})

test('§3.2 a client that is not valid beside an ID-JAG that is', async (t) => {
  const world = await startChaining(t)
  const client_assertion = world.cluster.mint(({ claims }) => Object.assign(claims, { exp: 2 }))
  const { status, body } = await world.ask(world.grantForm({ client_assertion }))
  assert.deepEqual([status, body['error']], [401, 'invalid_client'])
})
