/** No token or assertion reaches a log, whatever route, error path or parameter it came by. */

import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { createLogger } from '../../src/log.ts'
import { redact } from '../../src/redact.ts'
import { startBroker } from '../world/broker.ts'

const FORM = 'application/x-www-form-urlencoded'

test('on every route and error path, by every parameter', async (t) => {
  const world = await startBroker(t)
  const secret = world.cluster.mint()
  const [, , signature = ''] = secret.split('.')
  const parameters = [
    'grant_type',
    'assertion',
    'client_assertion',
    'client_assertion_type',
    'client_id',
    'resource',
    'scope',
    'audience',
    'subject_token',
    'unknown',
  ]
  for (const parameter of parameters) {
    await world.ask(world.form({ [parameter]: secret }))
    await world.ask({ ...world.form(), grant_type: 'client_credentials', [parameter]: secret })
    await world.ask(`${new URLSearchParams(world.form())}&${parameter}=${secret}`)
  }
  await world.ask(world.form({ assertion: `${secret}x` }))
  await world.ask(world.form({ assertion: secret.slice(0, -1) }))
  await world.ask(world.form({ assertion: `${secret}.${secret}` }))
  for (const assertion of [
    world.cluster.mint(({ claims }) => Object.assign(claims, { iss: secret })),
    world.cluster.mint(({ claims }) => Object.assign(claims, { aud: [secret] })),
    world.cluster.mint(({ claims }) => Object.assign(claims, { sub: secret })),
    world.cluster.mint(({ header }) => Object.assign(header, { kid: secret.slice(0, 120) })),
  ]) {
    await world.ask(world.form({ assertion }))
  }
  const routes = [
    '/token',
    '/introspect',
    '/jwks',
    '/livez',
    '/readyz',
    '/authorize',
    '/nowhere',
    '/.well-known/oauth-authorization-server',
  ]
  for (const url of routes) {
    for (const method of ['GET', 'POST', 'OPTIONS', 'DELETE'] as const) {
      const headers = { 'content-type': FORM, authorization: `Bearer ${secret}`, cookie: secret }
      await world.app.inject({
        method,
        url: `${url}?token=${secret}`,
        headers,
        payload: `assertion=${secret}&token=${secret}`,
      })
    }
  }
  for (const url of [`/decisions/${secret}`, `/metrics?token=${secret}`]) {
    await world.admin.inject({
      url,
      headers: { host: 'localhost', authorization: `Bearer ${secret}` },
    })
  }
  const issued = await world.ask(world.form())
  assert.equal(issued.status, 200)

  const written = world.written()
  assert.ok(written.length > 10_000, 'there is something to look at')
  assert.equal(written.includes(signature), false)
  assert.equal(written.includes(secret.slice(0, 40)), false)
  assert.equal(written.includes(String(issued.body['access_token']).slice(0, 30)), false)
  // With its dot: a hash may begin like a header by chance.
  assert.doesNotMatch(written, /eyJ[\w-]{20,}\./)
})

test('an unexpected error is logged with its stack, and without what the request carried', async (t) => {
  const world = await startBroker(t, { trust: { replay: 'once' } })
  const secret = world.cluster.mint()
  // The one way to break the broker from outside is to take its store away.
  await world.broker.close()
  const answer = await world.ask(world.form({ assertion: secret }))
  assert.equal(answer.status >= 500, true)
  assert.doesNotMatch(world.written(), /eyJ[\w-]{20}/)
  assert.doesNotMatch(JSON.stringify(answer.body), /database|sqlite|\n/i)
})

test('the logger itself hides what is named like a credential, or looks like one', () => {
  const lines: string[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const logger = createLogger(stream)
  logger.info(
    {
      assertion: 'opaque-1',
      form: { client_assertion: 'opaque-2' },
      req: { headers: { authorization: 'opaque-3' } },
    },
    'x',
  )
  logger.info({ err: new Error('bad token eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.AAAA') }, 'y')
  const text = lines.join('')
  assert.doesNotMatch(text, /opaque-|eyJ/)
  assert.equal(text.match(/\[redacted\]/g)?.length, 3)
  assert.match(text, /bad token \[token\]/)
})

test('text without a token is left as it is', () => {
  assert.equal(
    redact('{"iss":"https://eyJ.example","a":"eyJ"}'),
    '{"iss":"https://eyJ.example","a":"eyJ"}',
  )
  assert.equal(redact('a eyJhbGciOiJub25lIn0.x b'), 'a [token] b')
  assert.equal(redact('a countersign_at_AAAA-_ b'), 'a [token] b')
  assert.equal(redact('countersign_at_ alone'), 'countersign_at_ alone')
})
