/** What our agent sends when its tokens are bound to a key: to the broker, to the resource, and after a nonce. */

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { decodeJwt, EmbeddedJWK, jwtVerify } from 'jose'
import { type AgentOptions, agent, freshKey } from '../../src/agent/index.ts'

const ISSUER = 'https://as.example'
const RESOURCE = 'https://mcp.example.com/v1'
const NOW = 1_800_000_000

type Answers = {
  readonly broker: (request: Request, count: number) => Response
  readonly resource: (request: Request, count: number) => Response
}

const GRANTED = { access_token: 'token-1', token_type: 'DPoP', expires_in: 300 }
const good: Answers = {
  broker: () => Response.json(GRANTED),
  resource: () => new Response('ok'),
}

/** An agent, and every request that it sent to the token endpoint or to the resource. */
function stage(answers: Partial<Answers>, options: Partial<AgentOptions> = {}) {
  const sent: Request[] = []
  const counts = { broker: 0, resource: 0 }
  const http: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    if (request.url.includes('/.well-known/')) {
      return Response.json({ issuer: ISSUER, token_endpoint: `${ISSUER}/token` })
    }
    sent.push(request)
    const which = request.url.startsWith(ISSUER) ? 'broker' : 'resource'
    counts[which] += 1
    return { ...good, ...answers }[which](request, counts[which])
  }
  const key = freshKey()
  const asking = agent({
    issuer: ISSUER,
    resource: RESOURCE,
    source: async () => 'platform-token',
    now: () => NOW * 1000 + 999,
    fetch: http,
    dpop: key,
    ...options,
  })
  return { asking, sent, key }
}

const proofOf = (request: Request | undefined) => request?.headers.get('dpop') ?? ''

async function claimsOf(request: Request | undefined) {
  const { payload, protectedHeader } = await jwtVerify(proofOf(request), EmbeddedJWK, {
    typ: 'dpop+jwt',
    algorithms: ['ES256'],
    currentDate: new Date(NOW * 1000),
  })
  assert.equal('d' in (protectedHeader.jwk ?? {}), false)
  return payload
}

const demand = (nonce: string, where: 'broker' | 'resource') =>
  where === 'broker'
    ? Response.json(
        { error: 'use_dpop_nonce' },
        { status: 400, headers: { 'dpop-nonce': nonce, 'x-request-id': 'r' } },
      )
    : new Response(null, {
        status: 401,
        headers: { 'dpop-nonce': nonce, 'www-authenticate': 'DPoP error="use_dpop_nonce"' },
      })

test('the broker gets a proof for its token endpoint, without ath', async () => {
  const { asking, sent } = stage({})
  await asking.token()
  const { jti, ...claims } = await claimsOf(sent[0])
  assert.deepEqual(claims, { htm: 'POST', htu: `${ISSUER}/token`, iat: NOW })
  assert.match(String(jti), /^[0-9a-f-]{36}$/)
})

test('the resource gets the token by the scheme DPoP, and a proof for this request and token', async () => {
  const { asking, sent } = stage({})
  await asking.fetch(`${RESOURCE}/tools?q=1#x`, { method: 'DELETE' })
  assert.equal(sent[1]?.headers.get('authorization'), 'DPoP token-1')
  const { jti, ...claims } = await claimsOf(sent[1])
  const ath = hash('sha256', 'token-1', 'base64url')
  assert.deepEqual(claims, { htm: 'DELETE', htu: `${RESOURCE}/tools`, iat: NOW, ath })
  assert.notEqual(jti, decodeJwt(proofOf(sent[0])).jti)
})

test('a nonce is used as soon as it is demanded, kept, and replaced by each new one', async () => {
  const { asking, sent } = stage({
    broker: (_request, count) => (count === 1 ? demand('a', 'broker') : Response.json(GRANTED)),
    resource: (_request, count) =>
      count === 1
        ? demand('b', 'resource')
        : new Response(null, { headers: { 'dpop-nonce': `b${count}` } }),
  })
  const body = { method: 'POST', body: 'twice' }
  assert.equal((await asking.fetch(`${RESOURCE}/tools`, body)).status, 200)
  await asking.fetch(`${RESOURCE}/tools`, body)
  const nonces = await Promise.all(sent.map(async (each) => (await claimsOf(each))['nonce']))
  assert.deepEqual(nonces, [undefined, 'a', undefined, 'b', 'b2'])
  assert.equal(await sent[3]?.text(), 'twice', 'the body goes with it again')
  assert.equal(new Set(sent.map(proofOf)).size, 5, 'no proof is used twice')
})

test('a demand is followed once: a server that never has enough is an error', async () => {
  const { asking, sent } = stage({ broker: (_request, count) => demand(`n${count}`, 'broker') })
  await assert.rejects(asking.token(), { code: 'use_dpop_nonce', requestId: 'r' })
  assert.equal(sent.length, 2)
})

test('a demand that brings no new nonce is not followed', async () => {
  const { asking, sent } = stage({
    broker: () => Response.json({ error: 'use_dpop_nonce' }, { status: 400 }),
  })
  await assert.rejects(asking.token(), { code: 'use_dpop_nonce' })
  assert.equal(sent.length, 1)
})

test('after a nonce, a token that is refused is replaced as ever', async () => {
  const { asking, sent } = stage({
    broker: (_request, count) => Response.json({ ...GRANTED, access_token: `token-${count}` }),
    resource: (_request, count) =>
      count === 1 ? demand('n', 'resource') : new Response(null, { status: count < 3 ? 401 : 200 }),
  })
  assert.equal((await asking.fetch(RESOURCE)).status, 200)
  assert.deepEqual(
    sent.map(({ headers }) => headers.get('authorization')),
    [null, 'DPoP token-1', 'DPoP token-1', null, 'DPoP token-2'],
  )
})

test('a broker that binds nothing is refused, because the token would be good without our key (§5)', async () => {
  const { asking } = stage({ broker: () => Response.json({ ...GRANTED, token_type: 'Bearer' }) })
  await assert.rejects(asking.token(), { code: 'token_unbound' })
})

test('without a key nothing is proved', async () => {
  const http: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    assert.equal(request.headers.get('dpop'), null)
    if (request.url.includes('/.well-known/')) {
      return Response.json({ issuer: ISSUER, token_endpoint: `${ISSUER}/token` })
    }
    return Response.json({ ...GRANTED, token_type: 'Bearer' })
  }
  const options = { issuer: ISSUER, resource: RESOURCE, source: async () => 'x', fetch: http }
  assert.equal(await agent(options).token(), 'token-1')
})
