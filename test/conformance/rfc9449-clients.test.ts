/**
 * Unmodified clients get a token that is bound to their key, after they were told a nonce, over real HTTP; and so do our
 * agent and `countersign token`, whose tokens our verifier takes.
 */

import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { calculateJwkThumbprint, decodeJwt, exportJWK } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { type AgentKey, agent, freshKey, keyFile } from '../../src/agent/index.ts'
import { UsageError } from '../../src/cli/command.ts'
import { InvalidToken, proofNonces, verifier } from '../../src/resource/index.ts'
import { RESOURCE, startBroker, type TestBroker, WORKLOAD } from '../world/broker.ts'
import { listening, runToken, skewOf } from '../world/listening.ts'
import { scratch } from '../world/scratch.ts'

const JWT_BEARER_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const JWT_BEARER_ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const SCOPE = 'trades:read trades:write'

async function assertBound(world: TestBroker, token: string, key: CryptoKey): Promise<void> {
  const claims = decodeJwt(token)
  assert.equal(claims.sub, WORKLOAD)
  assert.equal(claims['scope'], SCOPE, 'one of them demands dpop')
  const jkt = await calculateJwkThumbprint(await exportJWK(key))
  assert.deepEqual(claims['cnf'], { jkt })
  assert.deepEqual(
    world.events().map(({ reason }) => reason),
    ['nonce_missing', null],
  )
}

for (const alg of ['ES256', 'Ed25519', 'PS256', 'RS256']) {
  test(`openid-client: a bound token by ${alg}, nonce retry included`, async (t) => {
    const world = await listening(t, startBroker)
    const config = await openid.discovery(
      new URL(world.issuer),
      'agent',
      { [openid.clockSkew]: skewOf(world) },
      openid.None(),
      { execute: [openid.allowInsecureRequests] },
    )
    const keys = await openid.randomDPoPKeyPair(alg, { extractable: true })
    const response = await openid.genericGrantRequest(
      config,
      JWT_BEARER_GRANT,
      { assertion: world.cluster.mint(), resource: RESOURCE, scope: SCOPE },
      { DPoP: openid.getDPoPHandle(config, keys) },
    )
    assert.equal(response.token_type, 'dpop')
    await assertBound(world, response.access_token, keys.publicKey)
  })
}

test('oauth4webapi: a bound token by client_credentials, nonce retry included', async (t) => {
  const world = await listening(t, startBroker)
  const issuer = new URL(world.issuer)
  const insecure = { [oauth.allowInsecureRequests]: true }
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  const server = await oauth.processDiscoveryResponse(issuer, found)
  const client = { client_id: WORKLOAD, [oauth.clockSkew]: skewOf(world) }
  const withAssertion: oauth.ClientAuth = (_server, _client, body) => {
    body.set('client_assertion_type', JWT_BEARER_ASSERTION)
    body.set('client_assertion', world.cluster.mint())
  }
  const keys = await oauth.generateKeyPair('ES256', { extractable: true })
  const DPoP = oauth.DPoP(client, keys)
  const ask = async () => {
    const response = await oauth.clientCredentialsGrantRequest(
      server,
      client,
      withAssertion,
      new URLSearchParams({ resource: RESOURCE, scope: SCOPE }),
      { DPoP, ...insecure },
    )
    return oauth.processClientCredentialsResponse(server, client, response)
  }
  const result = await ask().catch((error) => {
    assert.ok(oauth.isDPoPNonceError(error), String(error))
    return ask()
  })
  await assertBound(world, result.access_token, keys.publicKey)
})

/** Our agent, and a resource server that demands nonces, both over `fetch`. */
function pair(world: TestBroker, dpop: AgentKey) {
  const statuses: number[] = []
  const verify = verifier({
    issuer: world.issuer,
    audience: RESOURCE,
    nonces: proofNonces('a secret of at least thirty-two characters'),
    now: () => world.clock.now(),
  })
  const serve = async (request: Request): Promise<Response> => {
    try {
      const { subject, headers } = await verify(request)
      return new Response(subject, { headers })
    } catch (error) {
      if (!(error instanceof InvalidToken)) throw error
      return new Response(null, { status: 401, headers: error.headers })
    }
  }
  const http: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    if (!request.url.startsWith(RESOURCE)) return fetch(request)
    const response = await serve(request)
    statuses.push(response.status)
    return response
  }
  const asking = agent({
    issuer: world.issuer,
    resource: RESOURCE,
    scopes: SCOPE.split(' '),
    source: async () => world.cluster.mint(),
    now: () => world.clock.now(),
    fetch: http,
    dpop,
  })
  return { asking, verify, statuses }
}

test('our agent and our verifier: nonces on both sides, and a token that is good with its key alone', async (t) => {
  const world = await listening(t, startBroker)
  const key = freshKey()
  const { asking, verify, statuses } = pair(world, key)
  const call = async () =>
    (await asking.fetch(`${RESOURCE}/trades?day=1`, { method: 'POST' })).text()
  assert.deepEqual([await call(), await call()], [WORKLOAD, WORKLOAD])
  assert.deepEqual(statuses, [401, 200, 200])
  world.clock.advance(250)
  assert.equal(await call(), WORKLOAD, 'with a new token, and new nonces of both')
  assert.deepEqual(
    world.events().map(({ reason }) => reason),
    ['nonce_missing', null, 'nonce_stale', null],
  )
  const token = await asking.token()
  assert.deepEqual(decodeJwt(token)['cnf'], { jkt: key.jkt })
  const headers = { authorization: `Bearer ${token}` }
  await assert.rejects(verify({ method: 'GET', url: '/trades', headers }), InvalidToken)
})

test('countersign token --dpop --key-file: the same key after a restart', async (t) => {
  const world = await listening(t, startBroker)
  const folder = scratch(t)
  const file = join(folder, 'key.pem')
  writeFileSync(join(folder, 'token'), world.cluster.mint())
  const args = ['--token-file', join(folder, 'token'), '--dpop', '--key-file', file]
  const first = await runToken(world, ...args)
  assert.equal(first.code, 0, first.out)
  const { jkt } = keyFile(file)
  assert.deepEqual(decodeJwt(first.out)['cnf'], { jkt })
  const { out } = await runToken(world, ...args, '--json')
  assert.equal(JSON.parse(out).token_type, 'DPoP')
  assert.deepEqual(decodeJwt(JSON.parse(out).access_token)['cnf'], { jkt })

  writeFileSync(join(folder, 'open.pem'), 'x', { mode: 0o644 })
  const open = await runToken(world, ...args.slice(0, -1), join(folder, 'open.pem'))
  assert.equal(open.code, 1)
  assert.match(open.out, /^countersign token: key_unusable: .*mode 0644/)
})

test('--dpop and --key-file go together', async (t) => {
  const world = await listening(t, startBroker)
  const file = join(scratch(t), 'key.pem')
  for (const args of [['--dpop'], ['--key-file', file]]) {
    await assert.rejects(runToken(world, '--token-file', '/nowhere', ...args), UsageError)
  }
  assert.equal(existsSync(file), false)
})
