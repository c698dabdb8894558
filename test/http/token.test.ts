/** The token endpoint over HTTP: what is granted, and every way to be turned down, with its code on the wire. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  type JSONWebKeySet,
  jwtVerify,
} from 'jose'
import { countersign } from '../../src/http/plugin.ts'
import {
  RESOURCE,
  startBroker,
  type TestBroker,
  type TokenAnswer,
  WORKLOAD,
} from '../world/broker.ts'

const CLIENT_CREDENTIALS = {
  grant_type: 'client_credentials',
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
}

/** The good form on the client_assertion carrier. */
function clientForm(
  world: TestBroker,
  change: Record<string, string> = {},
): Record<string, string> {
  const { assertion = '', ...rest } = world.form()
  return { ...rest, ...CLIENT_CREDENTIALS, client_assertion: assertion, ...change }
}

function without(form: Record<string, string>, name: string): Record<string, string> {
  const { [name]: _gone, ...rest } = form
  return rest
}

function assertIssued(answer: TokenAnswer): string {
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return String(answer.body['access_token'])
}

test('a pod gets a token on both carriers, for the same workload', async (t) => {
  const world = await startBroker(t)
  const jwks = (await world.app.inject('/jwks')).json<JSONWebKeySet>()
  for (const form of [world.form(), clientForm(world)]) {
    const answer = await world.ask(form)
    const token = assertIssued(answer)
    assert.deepEqual(without(answer.body as Record<string, string>, 'access_token'), {
      token_type: 'Bearer',
      expires_in: 300,
      scope: 'trades:read',
    })
    assert.equal(answer.headers['cache-control'], 'no-store')
    const { payload } = await jwtVerify(token, createLocalJWKSet(jwks), {
      issuer: world.issuer,
      audience: RESOURCE,
      typ: 'at+jwt',
      currentDate: new Date(world.clock.now()),
    })
    assert.equal(payload.sub, WORKLOAD)
    assert.equal(payload['client_id'], WORKLOAD)
    assert.equal(payload.jti, answer.headers['x-request-id'])
  }
})

test('the permitted subset is granted and named in the reply', async (t) => {
  const world = await startBroker(t)
  const answer = await world.ask(world.form({ scope: 'trades:delete trades:read unknown:scope' }))
  assertIssued(answer)
  assert.equal(answer.body['scope'], 'trades:read')
  assert.deepEqual(
    world.events()[0]?.decision?.rulings.map(({ action, result }) => `${action} ${result}`),
    ['trades:delete unmatched', 'trades:read permitted', 'unknown:scope not_offered'],
  )
})

test('without a scope the token has none, if `issue` is permitted', async (t) => {
  const world = await startBroker(t)
  const answer = await world.ask(without(world.form(), 'scope'))
  assert.equal('scope' in answer.body, false)
  assert.equal('scope' in decodeJwt(assertIssued(answer)), false)
})

test('a token does not outlive its evidence', async (t) => {
  const world = await startBroker(t)
  const assertion = world.cluster.mint(({ claims }) => {
    claims['exp'] = world.clock.seconds() + 45
  })
  const answer = await world.ask(world.form({ assertion }))
  assert.equal(answer.body['expires_in'], 45)
})

test('a resource is named in any spelling of its canonical form (RFC 8707 §2)', async (t) => {
  const world = await startBroker(t)
  for (const resource of ['https://mcp.example.com/', 'HTTPS://MCP.example.com:443']) {
    assert.equal(decodeJwt(assertIssued(await world.ask(world.form({ resource })))).aud, RESOURCE)
  }
})

test('a mapped claim carries the verified fact', async (t) => {
  const world = await startBroker(t, {
    settings: {
      resources: [
        {
          audience: RESOURCE,
          scopes: ['trades:read'],
          claims: {
            pod: { fact: 'pod.uid', grade: 'A' },
            team: { fact: 'labels.team', grade: 'D' },
          },
        },
      ],
    },
    policies: {
      'read.cedar': `@id("r") @owner("x") permit (principal == ServiceAccount::"prod-eu/agents/planner",
        action == Action::"trades:read", resource);`,
    },
  })
  const claims = decodeJwt(assertIssued(await world.ask(world.form())))
  assert.equal(claims['pod'], 'a80db121-9afb-4f60-8334-ced381327329')
  assert.equal('team' in claims, false)
})

/** What is wrong, the form, the status, the error code, the reason that the operator reads. */
type Row = readonly [
  string,
  (world: TestBroker) => Record<string, string> | string,
  number,
  string,
  string,
]

const REQUESTS: readonly Row[] = [
  [
    'no grant_type',
    (w) => without(w.form(), 'grant_type'),
    400,
    'invalid_request',
    'parameter_missing',
  ],
  [
    'an empty grant_type',
    (w) => w.form({ grant_type: '' }),
    400,
    'invalid_request',
    'parameter_missing',
  ],
  [
    'an unknown grant_type',
    (w) => w.form({ grant_type: 'password' }),
    400,
    'unsupported_grant_type',
    'grant_type_unsupported',
  ],
  [
    'a grant_type from Object.prototype',
    (w) => w.form({ grant_type: 'constructor' }),
    400,
    'unsupported_grant_type',
    'grant_type_unsupported',
  ],
  [
    'no assertion',
    (w) => without(w.form(), 'assertion'),
    400,
    'invalid_request',
    'parameter_missing',
  ],
  [
    'no client_assertion',
    (w) => without(clientForm(w), 'client_assertion'),
    400,
    'invalid_request',
    'parameter_missing',
  ],
  [
    'no client_assertion_type',
    (w) => without(clientForm(w), 'client_assertion_type'),
    400,
    'invalid_request',
    'parameter_missing',
  ],
  [
    'a foreign client_assertion_type',
    (w) => clientForm(w, { client_assertion_type: 'urn:saml' }),
    400,
    'invalid_request',
    'parameter_malformed',
  ],
  [
    'both carriers',
    (w) => w.form({ client_assertion: w.cluster.mint() }),
    400,
    'invalid_request',
    'credentials_ambiguous',
  ],
  [
    'a client secret',
    (w) => w.form({ client_secret: 'hunter2' }),
    400,
    'invalid_request',
    'credentials_ambiguous',
  ],
  [
    'a repeated scope',
    (w) => `${new URLSearchParams(w.form())}&scope=x`,
    400,
    'invalid_request',
    'parameter_repeated',
  ],
  ['a malformed scope', (w) => w.form({ scope: 'a"b' }), 400, 'invalid_scope', 'scope_malformed'],
  [
    'a scope that is too long',
    (w) => w.form({ scope: 'a'.repeat(257) }),
    400,
    'invalid_scope',
    'scope_malformed',
  ],
  [
    'too many scopes',
    (w) => w.form({ scope: Array.from({ length: 33 }, (_, i) => `s${i}`).join(' ') }),
    400,
    'invalid_scope',
    'scope_malformed',
  ],
  ['no resource', (w) => without(w.form(), 'resource'), 400, 'invalid_target', 'resource_missing'],
  [
    'an unknown resource',
    (w) => w.form({ resource: 'https://other.example' }),
    400,
    'invalid_target',
    'resource_unknown',
  ],
  [
    'a resource that is no URI',
    (w) => w.form({ resource: 'mcp' }),
    400,
    'invalid_target',
    'resource_unknown',
  ],
  [
    'a resource with a fragment',
    (w) => w.form({ resource: `${RESOURCE}#x` }),
    400,
    'invalid_target',
    'resource_unknown',
  ],
  [
    'two resources',
    (w) => `${new URLSearchParams(w.form())}&resource=https%3A%2F%2Fother.example`,
    400,
    'invalid_target',
    'resource_repeated',
  ],
  [
    'the same resource twice',
    (w) => `${new URLSearchParams(w.form())}&resource=https%3A%2F%2Fmcp.example.com`,
    400,
    'invalid_target',
    'resource_repeated',
  ],
  ['a bad escape', () => 'grant_type=%', 400, 'invalid_request', 'form_malformed'],
  [
    'an assertion that is no JWT',
    (w) => w.form({ assertion: 'x' }),
    400,
    'invalid_grant',
    'token_malformed',
  ],
  [
    'the same as client_assertion',
    (w) => clientForm(w, { client_assertion: 'x' }),
    401,
    'invalid_client',
    'token_malformed',
  ],
  [
    'a huge assertion',
    (w) => w.form({ assertion: 'a'.repeat(17_000) }),
    400,
    'invalid_grant',
    'evidence_too_large',
  ],
  [
    'a client_id that is somebody else',
    (w) => clientForm(w, { client_id: 'k8s://prod-eu/ns/agents/sa/admin' }),
    401,
    'invalid_client',
    'client_mismatched',
  ],
  [
    'a scope that nobody may have',
    (w) => w.form({ scope: 'trades:delete' }),
    400,
    'invalid_scope',
    'policy_denied',
  ],
  [
    'a scope that needs a bound token',
    (w) => w.form({ scope: 'trades:write' }),
    400,
    'invalid_scope',
    'policy_denied',
  ],
  [
    'a scope that is not offered',
    (w) => w.form({ scope: 'unknown' }),
    400,
    'invalid_scope',
    'policy_denied',
  ],
]

test('bad requests', async (t) => {
  const world = await startBroker(t)
  for (const [what, form, status, error, reason] of REQUESTS) {
    await t.test(`${what} is answered ${status} ${error}, and logged as ${reason}`, async () => {
      const answer = await world.ask(form(world))
      assert.equal(answer.status, status)
      assert.equal(answer.body['error'], error)
      assert.equal(answer.body['request_id'], answer.headers['x-request-id'])
      assert.equal(answer.headers['cache-control'], 'no-store')
      const logged = world
        .written()
        .split('\n')
        .filter((line) => line.includes(String(answer.body['request_id'])))
      assert.match(logged.join('\n'), new RegExp(`"reason":"${reason}"`))
    })
  }
})

test('what is wrong with a credential is not told to its bearer', async (t) => {
  const world = await startBroker(t)
  const bad = [
    world.cluster.mint(({ claims }) => Object.assign(claims, { exp: 1 })),
    world.cluster.mint(({ claims }) => Object.assign(claims, { iss: 'https://elsewhere' })),
    world.cluster.mint(({ claims }) => Object.assign(claims, { aud: ['https://elsewhere'] })),
    `${world.cluster.mint().slice(0, -8)}AAAAAAAA`,
  ]
  const bodies = await Promise.all(
    bad.map(async (assertion) =>
      without(
        (await world.ask(world.form({ assertion }))).body as Record<string, string>,
        'request_id',
      ),
    ),
  )
  assert.equal(new Set(bodies.map((body) => JSON.stringify(body))).size, 1)
  assert.deepEqual(
    world.events().map(({ reason }) => reason),
    ['token_expired', 'issuer_untrusted', 'audience_wrong', 'signature_invalid'],
  )
})

test('a token from a Secret is refused with the reason that helps, though no entry has its issuer', async (t) => {
  const world = await startBroker(t)
  const assertion = world.cluster.mint(({ claims }) => {
    for (const claim of ['aud', 'exp', 'iat', 'nbf', 'jti']) delete claims[claim]
    claims['iss'] = 'kubernetes/serviceaccount'
  })
  const answer = await world.ask(world.form({ assertion }))
  assert.equal(answer.body['error'], 'invalid_grant')
  assert.equal(world.events()[0]?.reason, 'token_legacy')
})

test('client_id has no meaning beside an assertion (MCP workload identity federation)', async (t) => {
  const world = await startBroker(t)
  assertIssued(await world.ask(world.form({ client_id: 'anything at all' })))
})

test('client_id may name the workload itself', async (t) => {
  const world = await startBroker(t)
  assertIssued(await world.ask(clientForm(world, { client_id: WORKLOAD })))
})

test('the access token is no assertion: it cannot be used to get another', async (t) => {
  const world = await startBroker(t)
  const token = assertIssued(await world.ask(world.form()))
  assert.equal(decodeProtectedHeader(token).typ, 'at+jwt')
  const answer = await world.ask(world.form({ assertion: token }))
  assert.equal(answer.body['error'], 'invalid_grant')
  assert.equal(world.events()[1]?.reason, 'type_refused')
})

test('a resource that demands a bound token refuses a bearer of a plain one', async (t) => {
  const world = await startBroker(t, {
    settings: {
      resources: [{ audience: RESOURCE, scopes: ['trades:read', 'trades:write'], sender: 'dpop' }],
    },
  })
  const answer = await world.ask(world.form())
  assert.equal(answer.body['error'], 'invalid_request')
  assert.equal(world.events()[0]?.reason, 'sender_unbound')
})

test('an issuer whose keys cannot be read is a 503 with Retry-After, on either carrier', async (t) => {
  const world = await startBroker(t, {
    trust: { jwks: { url: 'http://127.0.0.1:1/keys', allowPrivate: true } },
  })
  for (const form of [world.form(), clientForm(world)]) {
    const answer = await world.ask(form)
    assert.equal(answer.status, 503)
    assert.equal(answer.body['error'], 'temporarily_unavailable')
    assert.match(String(answer.headers['retry-after']), /^\d+$/)
  }
  assert.equal(world.events()[0]?.reason, 'issuer_keys_unavailable')
})

test('an audit that cannot be written issues no token', async (t) => {
  let full = false
  const world = await startBroker(t, { auditFails: () => full })
  assertIssued(await world.ask(world.form()))
  full = true
  const answer = await world.ask(world.form())
  assert.equal(answer.status, 503)
  assert.equal('access_token' in answer.body, false)
  full = false
  assertIssued(await world.ask(world.form()))
})

test('one-time evidence shown many times at once is spent once, on either carrier', async (t) => {
  const world = await startBroker(t, { trust: { replay: 'once' } })
  const form = world.form()
  const answers = await Promise.all(Array.from({ length: 20 }, () => world.ask(form)))
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  const other = await world.ask(clientForm(world, { client_assertion: form['assertion'] ?? '' }))
  assert.equal(other.status, 401)
  assert.equal(world.events().at(-1)?.reason, 'evidence_replayed')
})

test('evidence of a token that did not leave, because its event could not be written, stays good', async (t) => {
  let full = true
  const world = await startBroker(t, { trust: { replay: 'once' }, auditFails: () => full })
  const form = world.form()
  assert.equal((await world.ask(form)).status, 503)
  full = false
  assertIssued(await world.ask(form))
  assert.equal((await world.ask(form)).status, 400)
})

test('while the audit fails the broker is not ready, and the log says why', async (t) => {
  const world = await startBroker(t, { auditFails: () => true })
  assert.equal((await world.app.inject('/readyz')).statusCode, 200)
  await world.ask(world.form())
  assert.equal((await world.app.inject('/readyz')).statusCode, 503)
  assert.match(world.written(), /"reason":"audit_unavailable".*the disk is full/)
  world.clock.advance(10)
  assert.equal((await world.app.inject('/readyz')).statusCode, 200)
})

test('evidence that ends between its check and the decision gets no token', async (t) => {
  let late = 0
  const world = await startBroker(t, { late: () => late })
  const assertion = world.cluster.mint(({ claims }) => {
    claims['exp'] = world.clock.seconds() + 2
  })
  // The clock is read for the event, for prepare, for verify, and then for the decision.
  let reads = 0
  late = 0
  const form = world.form({ assertion })
  world.onClock(() => {
    reads += 1
    if (reads === 4) late = 5
  })
  assert.equal((await world.ask(form)).status, 400)
  assert.equal(world.events()[0]?.reason, 'token_expired')
  assert.equal(reads >= 4, true)
})

test('mounted in a host that numbers its requests itself, decisions still have ids of their own', async (t) => {
  const world = await startBroker(t)
  const host = Fastify({ requestIdHeader: 'x-mine' })
  host.get('/own', async (request) => ({ id: request.id }))
  host.register(countersign(world.broker))
  t.after(() => host.close())
  const send = () =>
    host.inject({
      method: 'POST',
      url: '/token',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-mine': 'chosen' },
      payload: new URLSearchParams(world.form()).toString(),
    })
  const [first, second] = [await send(), await send()]
  assert.equal(first.statusCode, 200)
  assert.match(String(first.headers['x-request-id']), /^[0-9a-f-]{36}$/)
  assert.notEqual(first.headers['x-request-id'], second.headers['x-request-id'])
  assert.match((await host.inject('/own')).json().id, /^req-/, 'and the host keeps its own')
})

test('a refused request burns nothing: the same one-time evidence is good afterwards', async (t) => {
  const world = await startBroker(t, { trust: { replay: 'once' } })
  const form = world.form({ scope: 'trades:delete' })
  for (const change of [{}, { resource: 'https://other.example' }, { scope: 'trades:write' }]) {
    assert.equal((await world.ask({ ...form, ...change })).status, 400)
  }
  assertIssued(await world.ask({ ...form, scope: 'trades:read' }))
})
