/** Unmodified clients revoke their tokens, over real HTTP. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { nameOf } from '../../src/lineage.ts'
import { RESOURCE, startBroker, type TestBroker, WORKLOAD } from '../world/broker.ts'
import { listening } from '../world/listening.ts'

const JWT_BEARER_ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

test('openid-client: a token is revoked, and nobody else revokes it', async (t) => {
  const world = await listening(t, startBroker)
  const withAssertion: openid.ClientAuth = (_server, _client, body) => {
    body.set('client_assertion_type', JWT_BEARER_ASSERTION)
    body.set('client_assertion', world.cluster.mint())
  }
  const options = { execute: [openid.allowInsecureRequests] }
  const url = new URL(world.issuer)
  const config = await openid.discovery(url, WORKLOAD, undefined, withAssertion, options)
  const asked = { resource: RESOURCE, scope: 'trades:read' }
  const { access_token: token } = await openid.clientCredentialsGrant(config, asked)
  await openid.tokenRevocation(config, token, { token_type_hint: 'access_token' })
  assertRevoked(world, token)
  const stranger = await openid.discovery(url, 'agent', undefined, openid.None(), options)
  await assert.rejects(openid.tokenRevocation(stranger, token), { status: 401 })
})

test('oauth4webapi: a token is revoked', async (t) => {
  const world = await listening(t, startBroker)
  const insecure = { [oauth.allowInsecureRequests]: true }
  const issuer = new URL(world.issuer)
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  const server = await oauth.processDiscoveryResponse(issuer, found)
  const client = { client_id: WORKLOAD }
  const withAssertion: oauth.ClientAuth = (_server, _client, body) => {
    body.set('client_assertion_type', JWT_BEARER_ASSERTION)
    body.set('client_assertion', world.cluster.mint())
  }
  const token = String((await world.ask(world.form())).body['access_token'])
  const response = await oauth.revocationRequest(server, client, withAssertion, token, insecure)
  assert.equal(await oauth.processRevocationResponse(response), undefined)
  assertRevoked(world, token)
})

function assertRevoked({ broker }: TestBroker, token: string): void {
  const name = nameOf('token', String(decodeJwt(token).jti))
  assert.equal(broker.revocations.revoked([name], 0)?.name, name)
}
