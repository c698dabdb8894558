/** Our client of the introspection endpoint: what it sends, how long it keeps an answer, and what it takes for none. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { freePorts } from '../../src/cli/ports.ts'
import { InvalidToken, verifier } from '../../src/resource/index.ts'
import { type IntrospectorOptions, introspector } from '../../src/resource/introspect.ts'
import { RESOURCE } from '../world/broker.ts'
import { HOLDER, SEALED, startIntrospecting } from '../world/introspection.ts'

const ISSUER = 'https://broker.example'
const ACTIVE = { active: true, sub: 'x', exp: 2_000 }

/** A client of a broker that answers as the test says, and what it was asked. */
function stage(
  answer: () => Response | Promise<Response>,
  options: Partial<IntrospectorOptions> = {},
) {
  const asked: Request[] = []
  let seconds = 1_000
  const client = introspector({
    issuer: ISSUER,
    credential: async () => ({ assertion: 'a.b.c' }),
    now: () => seconds * 1000,
    fetch: async (input, init) => {
      asked.push(new Request(input, init))
      return answer()
    },
    ...options,
  })
  return {
    ...client,
    asked,
    advance(by: number) {
      seconds += by
    },
  }
}

test('asks with the credential of its platform', async () => {
  const { claims, asked } = stage(() => Response.json(ACTIVE))
  assert.deepEqual(await claims('a token'), ACTIVE)
  const [request] = asked
  assert.equal(request?.url, `${ISSUER}/introspect`)
  assert.equal(request?.headers.get('accept'), 'application/json')
  assert.equal(request?.headers.get('authorization'), null)
  assert.equal(request?.redirect, 'error')
  const form = new URLSearchParams(await request?.text())
  assert.deepEqual(Object.fromEntries(form), {
    token: 'a token',
    client_assertion: 'a.b.c',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  })
})

test('asks with a token for the endpoint, and a proof of its key', async () => {
  const endpoints: string[] = []
  const { claims, asked } = stage(() => Response.json(ACTIVE), {
    credential: async (endpoint) => {
      endpoints.push(endpoint)
      return { authorization: 'DPoP t', dpop: 'p' }
    },
  })
  await claims('a token')
  assert.deepEqual(endpoints, [`${ISSUER}/introspect`])
  assert.equal(asked[0]?.headers.get('authorization'), 'DPoP t')
  assert.equal(asked[0]?.headers.get('dpop'), 'p')
  assert.equal(await asked[0]?.text(), 'token=a+token')
})

test('asks once for all who ask at once, and again when the answer is old', async () => {
  const { claims, asked, advance } = stage(() => Response.json(ACTIVE), { keepSeconds: 10 })
  await Promise.all([claims('a'), claims('a'), claims('b')])
  assert.equal(asked.length, 2)
  advance(9)
  await claims('a')
  assert.equal(asked.length, 2)
  advance(1)
  await claims('a')
  assert.equal(asked.length, 3)
})

test('keeps nothing when it is told so, but asks once for all who ask at once', async () => {
  const { claims, asked } = stage(() => Response.json(ACTIVE), { keepSeconds: 0 })
  await Promise.all([claims('a'), claims('a')])
  assert.equal(asked.length, 1)
  await claims('a')
  assert.equal(asked.length, 2)
})

test('keeps a thousand answers, not more', async () => {
  const { claims, asked } = stage(() => Response.json(ACTIVE))
  for (let n = 0; n <= 1_000; n += 1) await claims(`token ${n}`)
  await claims('token 1000')
  assert.equal(asked.length, 1_001)
  await claims('token 0')
  assert.equal(asked.length, 1_002)
})

test('asks about nothing that is too long to be a token', async () => {
  const { claims, asked } = stage(() => assert.fail('nothing is sent'))
  assert.equal(await claims('x'.repeat(16 * 1024 + 1)), null)
  assert.equal(asked.length, 0)
})

test('only a plain yes makes a token active', async () => {
  for (const body of [{ active: false }, {}, { active: 'true' }, { active: 1, sub: 'x' }, []]) {
    assert.equal(await stage(() => Response.json(body)).claims('a'), null)
    assert.equal(await stage(() => Response.json(body)).phantom('a'), null)
  }
})

/** What is no answer about a token: it throws, and is not kept. */
const TROUBLES: readonly (readonly [string, () => Response])[] = [
  ['503', () => Response.json({ error: 'temporarily_unavailable' }, { status: 503 })],
  ['401', () => Response.json({ error: 'invalid_client', active: true }, { status: 401 })],
  ['a page', () => new Response('<html>', { headers: { 'content-type': 'text/html' } })],
  ['no JSON', () => new Response('{', { headers: { 'content-type': 'application/json' } })],
  ['null', () => Response.json(null)],
  ['nothing', () => assert.fail('unreachable')],
]

for (const [what, answer] of TROUBLES) {
  test(`${what} says nothing of a token, and is asked again`, async () => {
    let works = false
    const { claims, asked } = stage(() => (works ? Response.json(ACTIVE) : answer()))
    await assert.rejects(claims('a'))
    works = true
    assert.deepEqual(await claims('a'), ACTIVE)
    assert.equal(asked.length, 2)
  })
}

test('an answer without a JWT for an active token is the operator’s to mend', async () => {
  await assert.rejects(stage(() => Response.json(ACTIVE)).phantom('a'), /servedBy/)
})

async function listening(t: TestContext) {
  const [port = 0] = await freePorts(1)
  const made = await startIntrospecting(t, { issuer: `http://127.0.0.1:${port}` })
  await made.world.app.listen({ host: '127.0.0.1', port })
  const { issuer, clock } = made.world
  const asking = introspector({
    issuer,
    credential: async () => ({ assertion: made.mint('mcp/server') }),
    now: clock.now,
  })
  return { ...made, asking, options: { issuer, audience: SEALED, now: clock.now } }
}

test('our verifier takes an opaque token by its phantom, and a JWT as before', async (t) => {
  const { world, token, asking, options } = await listening(t)
  const verify = verifier({ ...options, introspector: asking })
  const sealed = await token(SEALED)
  const { subject, scopes, claims } = await verify(sealed)
  assert.deepEqual([subject, scopes, claims.aud], [HOLDER, ['trades:read'], SEALED])
  const plain = verifier({ ...options, audience: RESOURCE, introspector: asking })
  assert.equal((await plain(await token())).subject, HOLDER)

  for (const bad of [`${sealed}A`, sealed.slice(0, -1), 'countersign_at_', 'x']) {
    await assert.rejects(verify(bad), InvalidToken)
  }
  await assert.rejects(verifier(options)(sealed), InvalidToken, 'without an introspector')
  await assert.rejects(plain(sealed), InvalidToken, 'for another audience')
  world.clock.advance(300)
  await assert.rejects(verify(sealed), InvalidToken)
})

test('our verifier tells a bad token from a broker that does not answer', async (t) => {
  const { token, options } = await listening(t)
  const asking = stage(() => new Response('{}', { status: 503 }))
  const verify = verifier({ ...options, introspector: asking })
  await assert.rejects(verify(await token(SEALED)), (error) => !(error instanceof InvalidToken))
})
