/**
 * Unmodified clients exchange tokens, over real HTTP, each with a key of its own and after they were told a nonce: an
 * agent for a person, then a sub-agent for the agent.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { calculateJwkThumbprint, decodeJwt, exportJWK, type JSONWebKeySet } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { verifyReceipts } from '../../src/resource/index.ts'
import {
  ACCESS_TOKEN,
  ALICE,
  type DelegationWorld,
  EXCHANGE,
  HELPER,
  PLANNER,
  startDelegation,
} from '../world/delegation.ts'
import { listening, skewOf } from '../world/listening.ts'

/** What a client sends besides `grant_type`. */
type Parameters = Readonly<Record<string, string>>

function parametersOf(world: DelegationWorld, change: Parameters): Record<string, string> {
  const { grant_type, ...parameters } = world.exchangeForm(change)
  assert.equal(grant_type, EXCHANGE)
  return parameters
}

/** Alice’s token for the planner, which lets the helper go on from there. */
const forAlice = (world: DelegationWorld) =>
  parametersOf(world, { scope: 'trades:read trades:write', may_act: HELPER })

/** The helper’s part of it. */
const forHelper = (world: DelegationWorld, subject: string, change: Parameters = {}) =>
  parametersOf(world, {
    subject_token: subject,
    subject_token_type: ACCESS_TOKEN,
    actor_token: world.actor('helper'),
    ...change,
  })

async function jktOf({ publicKey }: { readonly publicKey: CryptoKey }): Promise<string> {
  return calculateJwkThumbprint(await exportJWK(publicKey))
}

/** Both tokens are bound, each to the key of its holder, and the last one tells the chain. */
async function assertChain(
  world: DelegationWorld,
  [parent, child]: readonly [string, string],
  [planner, helper]: readonly [oauth.CryptoKeyPair, oauth.CryptoKeyPair],
): Promise<void> {
  const [before, after] = [decodeJwt(parent), decodeJwt(child)]
  assert.deepEqual(before['cnf'], { jkt: await jktOf(planner) })
  assert.deepEqual(after['cnf'], { jkt: await jktOf(helper) })
  assert.deepEqual([before.sub, after.sub], [ALICE, ALICE])
  assert.deepEqual([before['scope'], after['scope']], ['trades:read trades:write', 'trades:read'])
  assert.deepEqual(after['act'], {
    iss: world.issuer,
    sub: HELPER,
    sub_profile: 'service',
    act: { iss: world.issuer, sub: PLANNER, sub_profile: 'ai_agent' },
  })
  const keys = world.broker.metadata.publishedKeys() as unknown as JSONWebKeySet
  const { hops } = await verifyReceipts(after, keys)
  assert.deepEqual(
    hops.map(({ actor }) => actor),
    [PLANNER, HELPER],
  )
}

test('openid-client: an agent for a person, then a sub-agent, each bound to its own key', async (t) => {
  const world = await listening(t, startDelegation)
  const config = await openid.discovery(
    new URL(world.issuer),
    'agent',
    { [openid.clockSkew]: skewOf(world) },
    openid.None(),
    { execute: [openid.allowInsecureRequests] },
  )
  const exchange = async (parameters: Parameters, keys: openid.CryptoKeyPair) => {
    const DPoP = openid.getDPoPHandle(config, keys)
    const response = await openid.genericGrantRequest(config, EXCHANGE, parameters, { DPoP })
    assert.equal(response.token_type, 'dpop')
    assert.equal(response['issued_token_type'], ACCESS_TOKEN)
    return response.access_token
  }
  const planner = await openid.randomDPoPKeyPair('ES256', { extractable: true })
  const helper = await openid.randomDPoPKeyPair('Ed25519', { extractable: true })
  const parent = await exchange(forAlice(world), planner)
  const child = await exchange(forHelper(world, parent), helper)
  await assertChain(world, [parent, child], [planner, helper])
  assert.deepEqual(
    world.events().map(({ reason }) => reason),
    ['nonce_missing', null, 'nonce_missing', null],
  )

  const refusals: readonly (readonly [string, Parameters, oauth.CryptoKeyPair | null, string])[] = [
    ['a sub-agent without a key', forHelper(world, parent), null, 'sender_weakened'],
    [
      'a scope that the subject token does not have',
      forHelper(world, child, { scope: 'trades:write' }),
      helper,
      'scope_exceeded',
    ],
    ['the holder’s name without its key', forHelper(world, child), planner, 'subject_unusable'],
  ]
  for (const [title, parameters, keys, reason] of refusals) {
    const options = keys === null ? {} : { DPoP: openid.getDPoPHandle(config, keys) }
    const asking = openid.genericGrantRequest(config, EXCHANGE, parameters, options)
    await assert.rejects(asking, openid.ResponseBodyError, title)
    assert.equal(world.events().at(-1)?.reason, reason, title)
  }
})

test('oauth4webapi: an agent for a person, then a sub-agent, each bound to its own key', async (t) => {
  const world = await listening(t, startDelegation)
  const issuer = new URL(world.issuer)
  const insecure = { [oauth.allowInsecureRequests]: true }
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  const server = await oauth.processDiscoveryResponse(issuer, found)
  assert.ok(server.grant_types_supported?.includes(EXCHANGE))
  const client = { client_id: 'agent', [oauth.clockSkew]: skewOf(world) }
  const exchange = async (parameters: Parameters, keys: oauth.CryptoKeyPair) => {
    const DPoP = oauth.DPoP(client, keys)
    const ask = async () => {
      const response = await oauth.genericTokenEndpointRequest(
        server,
        client,
        oauth.None(),
        EXCHANGE,
        parameters,
        { DPoP, ...insecure },
      )
      return oauth.processGenericTokenEndpointResponse(server, client, response)
    }
    const result = await ask().catch((error) => {
      assert.ok(oauth.isDPoPNonceError(error), String(error))
      return ask()
    })
    assert.equal(result.token_type, 'dpop')
    return result.access_token
  }
  const planner = await oauth.generateKeyPair('ES256', { extractable: true })
  const helper = await oauth.generateKeyPair('ES256', { extractable: true })
  const parent = await exchange(forAlice(world), planner)
  const child = await exchange(forHelper(world, parent), helper)
  await assertChain(world, [parent, child], [planner, helper])
})
