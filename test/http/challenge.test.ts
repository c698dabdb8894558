/** The challenge endpoint: for anybody, at no cost, as documented. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ISSUER, startBroker } from '../world/broker.ts'

test('POST /challenge gives a challenge, another each time, and nothing keeps it', async (t) => {
  const { app, events } = await startBroker(t)
  const first = await app.inject({ method: 'POST', url: '/challenge' })
  assert.equal(first.statusCode, 200)
  assert.deepEqual(Object.keys(first.json()), ['attestation_challenge', 'expires_in'])
  assert.match(first.json().attestation_challenge, /^[0-9a-z]{31}$/)
  assert.equal(first.json().expires_in, 120)
  assert.equal(first.headers['cache-control'], 'no-store')
  assert.equal(first.headers['access-control-allow-origin'], '*')
  const second = await app.inject({ method: 'POST', url: '/challenge' })
  assert.notEqual(second.json().attestation_challenge, first.json().attestation_challenge)
  assert.deepEqual(events(), [])
})

test('a form is taken and not read', async (t) => {
  const { app } = await startBroker(t)
  const post = (type: string, payload: string) =>
    app.inject({ method: 'POST', url: '/challenge', headers: { 'content-type': type }, payload })
  const form = 'application/x-www-form-urlencoded'
  assert.equal((await post(form, 'client_id=x&audience=y')).statusCode, 200)
  assert.equal((await post(form, 'x'.repeat(1025))).json().error, 'invalid_request')
  assert.equal((await post('application/json', '{}')).json().error, 'invalid_request')
})

test('it hangs below the issuer’s path, is in the metadata, and pages of any origin may ask', async (t) => {
  const issuer = `${ISSUER}/tenant`
  const { app } = await startBroker(t, { issuer })
  const { challenge_endpoint: url } = (
    await app.inject('/.well-known/oauth-authorization-server/tenant')
  ).json()
  assert.equal(url, `${issuer}/challenge`)
  const { pathname } = new URL(url)
  assert.equal((await app.inject({ method: 'POST', url: pathname })).statusCode, 200)
  const preflight = await app.inject({ method: 'OPTIONS', url: pathname })
  assert.equal(preflight.headers['access-control-allow-methods'], 'POST')
  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE'] as const) {
    const response = await app.inject({ method, url: pathname })
    assert.deepEqual([response.statusCode, response.headers['allow']], [405, 'POST'], method)
  }
})
