/** The introspection endpoint over HTTP: who learns what, in which form, and every way to be turned down. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { PROOF_ALGORITHMS } from '../../src/dpop.ts'
import { RESOURCE } from '../world/broker.ts'
import {
  type Asked,
  HOLDER,
  type Introspecting,
  SEALED,
  SERVER,
  startIntrospecting,
} from '../world/introspection.ts'

const INACTIVE = '{"active":false}'

test('an opaque token is none that anybody could read', async (t) => {
  const { token } = await startIntrospecting(t)
  const sealed = await token(SEALED)
  assert.match(sealed, /^countersign_at_[\w-]{100,}$/)
  assert.equal(Buffer.from(sealed.slice(15), 'base64url').includes('planner'), false)
})

test('the server of an audience learns every claim of its tokens, of either format', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  const jwt = await token()
  const said = await ask(jwt)
  assert.equal(said.status, 200)
  assert.equal(said.headers['cache-control'], 'no-store')
  assert.deepEqual(said.body, { ...decodeJwt(jwt), active: true, token_type: 'Bearer' })

  const { body } = await ask(await token(SEALED))
  const { jti, ...rest } = decodeJwt(jwt)
  assert.deepEqual(
    { ...body, jti, lineage: 0 },
    { ...rest, jti, aud: SEALED, active: true, token_type: 'Bearer', lineage: 0 },
  )
  assert.equal(body['jti'], world.events().at(-1)?.id, 'a token leads to the decision behind it')
})

/** Who asks, and whether that concerns it. */
const CALLERS: readonly (readonly [string, string, boolean])[] = [
  ['the workload behind the audience', 'mcp/server', true],
  ['the holder', 'agents/planner', true],
  ['another workload', 'mcp/other', false],
  ['a workload of the same name elsewhere', 'agents/server', false],
]

for (const [who, as, concerned] of CALLERS) {
  test(`${who} ${concerned ? 'learns what a token says' : 'learns that it is not active'}`, async (t) => {
    const { token, ask } = await startIntrospecting(t)
    for (const audience of [RESOURCE, SEALED]) {
      const said = await ask(await token(audience), { as })
      assert.equal(said.status, 200)
      if (concerned) assert.equal(said.body['sub'], HOLDER)
      else assert.equal(said.text, INACTIVE)
    }
  })
}

test('a workload that serves one audience learns nothing about another', async (t) => {
  const resources = [
    { audience: RESOURCE, scopes: ['trades:read'], servedBy: [SERVER] },
    { audience: SEALED, scopes: ['trades:read'], format: 'opaque' },
  ]
  const { token, ask } = await startIntrospecting(t, { settings: { resources } })
  assert.equal((await ask(await token())).body['active'], true)
  assert.equal((await ask(await token(SEALED))).text, INACTIVE)
})

/** What is not good now, after a token was made. */
const BAD: readonly (readonly [string, (stage: Introspecting, token: string) => string])[] = [
  [
    'a token that is over',
    ({ world }, token) => {
      world.clock.advance(300)
      return token
    },
  ],
  ['a token that was cut', (_stage, token) => token.slice(0, -1)],
  ['a longer token', (_stage, token) => `${token}A`],
  ['what is no token', () => 'x'],
  ['a token of the platform', ({ mint }) => mint('agents/planner')],
  ['nothing but dots', () => '..'],
  ['a huge token', () => `eyJ${'A'.repeat(40_000)}`],
  ['a huge opaque token', () => `countersign_at_${'A'.repeat(40_000)}`],
]

for (const [what, change] of BAD) {
  test(`${what} is not active, and nothing more is said`, async (t) => {
    const stage = await startIntrospecting(t)
    for (const audience of [RESOURCE, SEALED]) {
      const token = await stage.token(audience)
      const said = await stage.ask(change(stage, token))
      assert.equal(said.status, 200)
      assert.equal(said.text, INACTIVE)
    }
  })
}

suite('whoever does not say who it is', () => {
  const rows: readonly (readonly [string, Asked, number, string, string | undefined])[] = [
    ['nobody', { as: null }, 401, 'invalid_client', 'Bearer'],
    [
      'a client with a secret',
      { as: null, headers: { authorization: 'Basic YTpi' } },
      401,
      'invalid_client',
      'Bearer',
    ],
    [
      'a token that is none',
      { as: null, headers: { authorization: 'Bearer x' } },
      401,
      'invalid_token',
      'Bearer error="invalid_token"',
    ],
    [
      'the same by DPoP',
      { as: null, headers: { authorization: 'DPoP x' } },
      401,
      'invalid_token',
      `DPoP error="invalid_token", algs="${PROOF_ALGORITHMS.join(' ')}"`,
    ],
    [
      'an assertion that is none',
      { form: { client_assertion: 'x' } },
      401,
      'invalid_client',
      undefined,
    ],
    ['the name of another', { form: { client_id: HOLDER } }, 401, 'invalid_client', undefined],
    [
      'two credentials',
      { headers: { authorization: 'Bearer x' } },
      400,
      'invalid_request',
      undefined,
    ],
    [
      'a secret in the form',
      { form: { client_secret: 'hunter2' } },
      400,
      'invalid_request',
      undefined,
    ],
    ['a type alone', { form: { client_assertion: '' } }, 400, 'invalid_request', undefined],
  ]
  for (const [who, asked, status, error, challenge] of rows) {
    test(`${who} is answered ${status} ${error}`, async (t) => {
      const { token, ask } = await startIntrospecting(t)
      const good = await token()
      assert.equal((await ask(good)).status, 200)
      const said = await ask(good, asked)
      assert.equal(said.status, status)
      assert.equal(said.body['error'], error)
      assert.equal(said.headers['www-authenticate'], challenge)
      assert.equal(said.headers['cache-control'], 'no-store')
      assert.equal('sub' in said.body, false)
    })
  }
})

test('a workload asks with a token for this endpoint, as often as it likes', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  const subject = await token(SEALED)
  const own = await token(`${world.issuer}/introspect`, 'mcp/server')
  const asked = { as: null, headers: { authorization: `Bearer ${own}` } }
  for (const _time of [1, 2]) assert.equal((await ask(subject, asked)).body['sub'], HOLDER)
})

test('a token for something else makes nobody a caller: a server could pass for its callers', async (t) => {
  const { token, ask } = await startIntrospecting(t)
  for (const audience of [RESOURCE, SEALED]) {
    const own = await token(audience)
    const said = await ask(own, { as: null, headers: { authorization: `Bearer ${own}` } })
    assert.equal(said.status, 401)
    assert.equal(said.body['error'], 'invalid_token')
  }
})

test('one-time evidence of a caller is spent, and not by a request that is refused', async (t) => {
  const { world, token, ask, mint } = await startIntrospecting(t, { trust: { replay: 'once' } })
  const good = await token()
  const once = { form: { client_assertion: mint('mcp/server') } }
  assert.equal((await ask('', once)).body['error'], 'invalid_request', 'no token')
  assert.equal((await ask(good, { form: { ...once.form, client_id: 'x' } })).status, 401)
  assert.equal((await ask(good, once)).body['active'], true)
  const again = await ask(good, once)
  assert.equal(again.status, 401)
  assert.match(world.written(), /"reason":"evidence_replayed"/)
})

test('no page of another origin reads an answer or a refusal', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  const headers = { origin: 'https://page.example' }
  const good = await token()
  for (const said of [await ask(good, { headers }), await ask(good, { as: null, headers })]) {
    assert.equal('access-control-allow-origin' in said.headers, false)
  }
  const preflight = await world.app.inject({ method: 'OPTIONS', url: '/introspect', headers })
  assert.equal(preflight.statusCode, 404)
  const get = await world.app.inject({ method: 'GET', url: `/introspect?token=${good}` })
  assert.equal(get.statusCode, 405)
})

test('answers are counted, and no token is written', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  const [jwt, sealed] = [await token(), await token(SEALED)]
  for (const each of [jwt, sealed, sealed, 'x']) await ask(each)
  const { text } = await world.broker.meter.expose()
  assert.match(text, /^countersign_introspections_total\{active="1"\} 3$/m)
  assert.match(text, /^countersign_introspections_total\{active="0"\} 1$/m)
  for (const each of [jwt, sealed]) assert.equal(world.written().includes(each.slice(0, 40)), false)
})

test('a phantom token: the server of an audience gets the JWT of an opaque token', async (t) => {
  const { world, token, ask } = await startIntrospecting(t)
  const sealed = await token(SEALED)
  const accept = 'application/jwt'
  const phantom = await ask(sealed, { accept })
  assert.equal(phantom.headers['content-type'], 'application/jwt')
  assert.equal(decodeProtectedHeader(phantom.text).typ, 'at+jwt')
  const { body } = await ask(sealed)
  assert.deepEqual({ ...decodeJwt(phantom.text), active: true, token_type: 'Bearer' }, body)
  // It is the same token in another form.
  assert.deepEqual((await ask(phantom.text)).body, body)

  assert.equal((await ask(sealed, { accept, as: 'agents/planner' })).body['sub'], HOLDER, 'JSON')
  assert.equal((await ask(sealed, { accept, as: 'mcp/other' })).text, INACTIVE)
  assert.equal((await ask(await token(), { accept })).body['sub'], HOLDER, 'a JWT is there already')
  world.clock.advance(300)
  assert.equal((await ask(sealed, { accept })).text, INACTIVE)
})
