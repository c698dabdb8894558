/** A resource server and its feed: from a good feed, one thing broken at a time; and what tokens it lets pass. */

import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { calculateJwkThumbprint, type JWK, type JWTPayload, SignJWT } from 'jose'
import { nameOf } from '../../src/lineage.ts'
import {
  FeedRefused,
  InvalidToken,
  RevocationUnknown,
  revocationFeed,
  type VerifierOptions,
  verifier,
} from '../../src/resource/index.ts'
import { settle, TestClock } from '../world/clock.ts'

const ISSUER = 'https://countersign.test'
const AUDIENCE = 'https://mcp.example.com'
const NAME = nameOf('sub', 'k8s://c/ns/n/sa/s')

type Draft = {
  header: Record<string, unknown>
  claims: Record<string, unknown>
  key: KeyObject | Uint8Array
}

/** A broker that answers what the test wants, and a resource server that polls it. */
async function stage(t: TestContext) {
  const clock = new TestClock()
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' }) as JWK
  const kid = await calculateJwkThumbprint(jwk)
  const broker = { body: '', status: 200, etag: '"1"', asked: [] as (string | null)[], keys: true }
  const http = (async (url: string | URL, init: RequestInit = {}) => {
    if (String(url) === `${ISSUER}/jwks`) {
      if (!broker.keys) throw new TypeError('fetch failed')
      return Response.json({ keys: [{ ...jwk, kid, alg: 'ES256' }] })
    }
    assert.equal(String(url), `${ISSUER}/revocations`)
    broker.asked.push(new Headers(init.headers).get('if-none-match'))
    const body = broker.status === 200 ? broker.body : null
    return new Response(body, { status: broker.status, headers: { etag: broker.etag } })
  }) as typeof fetch
  const now = clock.now
  const feed = revocationFeed({ issuer: ISSUER, fetch: http, now, timers: clock.timers })
  t.after(feed.close)
  const sign = async (change: (draft: Draft) => void = () => {}) => {
    const at = clock.seconds()
    const draft: Draft = {
      header: { alg: 'ES256', typ: 'revocations+jwt', kid },
      claims: { iss: ISSUER, iat: at, exp: at + 60, seq: 7, revocations: [{ hash: NAME }] },
      key: privateKey,
    }
    change(draft)
    const jwt = new SignJWT(draft.claims as JWTPayload)
    return jwt.setProtectedHeader(draft.header as { alg: string }).sign(draft.key)
  }
  /** Serves one feed and has it read. */
  const take = async (change?: (draft: Draft) => void) => {
    broker.body = await sign(change)
    await feed.refresh()
  }
  const token = (claims: JWTPayload = {}) => {
    const at = clock.seconds()
    const payload = {
      sub: 'k8s://c/ns/n/sa/s',
      client_id: 'x',
      jti: 'j',
      lineage: ['lineage-of-token'],
    }
    return new SignJWT({
      iss: ISSUER,
      aud: AUDIENCE,
      iat: at,
      exp: at + 300,
      ...payload,
      ...claims,
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
      .sign(privateKey)
  }
  const verify = (options: Partial<VerifierOptions> = {}) =>
    verifier({
      issuer: ISSUER,
      audience: AUDIENCE,
      fetch: http,
      now,
      revocations: feed,
      ...options,
    })
  return { clock, broker, feed, sign, take, token, verify, jwk, kid, privateKey }
}

type Stage = Awaited<ReturnType<typeof stage>>

const edit = (member: string, value: unknown) => (draft: Draft) => {
  draft.claims[member] = value
}

/** A good feed with one thing broken. */
const BROKEN: Readonly<Record<string, (stage: Stage) => Promise<string>>> = {
  'of another type': ({ sign }) => sign((draft) => Object.assign(draft.header, { typ: 'at+jwt' })),
  'without a type': ({ sign }) => sign((draft) => Reflect.deleteProperty(draft.header, 'typ')),
  'of another issuer': ({ sign }) => sign(edit('iss', 'https://evil.example')),
  'without an issuer': ({ sign }) => sign(edit('iss', undefined)),
  over: ({ sign, clock }) => sign(edit('exp', clock.seconds())),
  'without an end': ({ sign }) => sign(edit('exp', undefined)),
  'from the future': ({ sign, clock }) => sign(edit('iat', clock.seconds() + 61)),
  'without a time': ({ sign }) => sign(edit('iat', undefined)),
  'that goes back': ({ sign }) => sign(edit('seq', 4)),
  'without a sequence': ({ sign }) => sign(edit('seq', undefined)),
  'with a sequence that is no number': ({ sign }) => sign(edit('seq', '7')),
  'with half a sequence': ({ sign }) => sign(edit('seq', 7.5)),
  'with a negative sequence': ({ sign }) => sign(edit('seq', -1)),
  'with a sequence beyond counting': ({ sign }) => sign(edit('seq', 2 ** 60)),
  'without revocations': ({ sign }) => sign(edit('revocations', undefined)),
  'with revocations that are no list': ({ sign }) => sign(edit('revocations', {})),
  'with an entry that is no object': ({ sign }) => sign(edit('revocations', [null])),
  'with a hash that is none': ({ sign }) => sign(edit('revocations', [{ hash: 'short' }])),
  'with a bound that is no number': ({ sign }) =>
    sign(edit('revocations', [{ hash: NAME, issued_before: '9' }])),
  'truncated as a word': ({ sign }) => sign(edit('truncated', 'true')),
  cut: async ({ sign }) => (await sign()).slice(0, -20),
  'without a signature': async ({ sign }) => `${(await sign()).split('.').slice(0, 2).join('.')}.`,
  'with a bit flipped': async ({ sign }) => {
    const [header, payload, signature = ''] = (await sign()).split('.')
    const bytes = Buffer.from(signature, 'base64url')
    bytes[9] = (bytes[9] ?? 0) ^ 1
    return [header, payload, bytes.toString('base64url')].join('.')
  },
  'with another payload': async ({ sign }) => {
    const [header, , signature] = (await sign()).split('.')
    const [, payload] = (await sign(edit('revocations', []))).split('.')
    return [header, payload, signature].join('.')
  },
  'signed by another key': ({ sign }) =>
    sign((draft) => {
      draft.key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    }),
  'of an unknown key': ({ sign }) => sign((draft) => Object.assign(draft.header, { kid: 'other' })),
  'with a MAC by the public key': ({ sign, jwk }) =>
    sign((draft) => {
      draft.header['alg'] = 'HS256'
      draft.key = Buffer.from(JSON.stringify(jwk))
    }),
  'of the algorithm none': async ({ sign }) => {
    const [, payload] = (await sign()).split('.')
    const header = Buffer.from('{"alg":"none","typ":"revocations+jwt"}').toString('base64url')
    return `${header}.${payload}.`
  },
  'by a key that it says is revoked': ({ sign, kid }) =>
    sign(edit('revocations', [{ hash: nameOf('key', kid) }])),
  'that is no JWS': async () => 'not a feed',
  'that is empty': async () => '',
  'that is too long': async () => 'a'.repeat(2_000_001),
}

for (const [what, make] of Object.entries(BROKEN)) {
  test(`a feed ${what} is refused, and the one before goes on`, async (t) => {
    const world = await stage(t)
    await world.take(edit('seq', 5))
    world.broker.body = await make(world)
    await assert.rejects(world.feed.refresh(), FeedRefused)
    assert.notEqual(world.feed.problem(), null)
    assert.equal(world.feed.judge([NAME], 1), 'revoked')
    assert.equal(world.feed.judge(['another'], 1), 'good')
    await world.take()
    assert.equal(world.feed.problem(), null, 'a good one is taken again')
  })
}

test('names meet, and of a lifted one only what is older', async (t) => {
  const { feed, take } = await stage(t)
  assert.equal(feed.judge([NAME], 1), 'unknown', 'before the first feed')
  await take(edit('revocations', [{ hash: NAME, issued_before: 100, until: 900 }]))
  assert.deepEqual(
    [99, 100, 101].map((issuedAt) => feed.judge(['x', NAME], issuedAt)),
    ['revoked', 'good', 'good'],
  )
})

test('a feed ends, and then nothing is known', async (t) => {
  const { feed, take, clock } = await stage(t)
  await take()
  clock.advance(59)
  assert.equal(feed.judge(['x'], 1), 'good')
  clock.advance(1)
  assert.equal(feed.judge(['x'], 1), 'unknown')
  assert.equal(feed.judge([NAME], 1), 'unknown')
})

test('an incomplete feed tells what it holds, and knows nothing of the rest', async (t) => {
  const { feed, take } = await stage(t)
  await take(edit('truncated', true))
  assert.deepEqual([feed.judge([NAME], 1), feed.judge(['x'], 1)], ['revoked', 'unknown'])
})

test('an older copy of the same state does not take the place of a newer one', async (t) => {
  const { feed, take, clock, sign, broker } = await stage(t)
  const older = await sign()
  clock.advance(30)
  await take()
  broker.body = older
  await feed.refresh()
  clock.advance(59)
  assert.equal(feed.judge(['x'], 1), 'good')
})

test('it polls, says which feed it has, and takes "not modified" for an answer', async (t) => {
  const { feed, take, clock, broker } = await stage(t)
  await take()
  broker.status = 304
  clock.advance(5)
  await settle()
  clock.advance(5)
  await settle()
  assert.deepEqual(broker.asked, [null, '"1"', '"1"'])
  assert.equal(feed.problem(), null)
  feed.close()
  clock.advance(60)
  await settle()
  assert.equal(broker.asked.length, 3)
})

test('keys that cannot be had are no fault of the feed', async (t) => {
  const { feed, broker, sign } = await stage(t)
  broker.body = await sign()
  broker.keys = false
  await assert.rejects(feed.refresh(), (error) => !(error instanceof FeedRefused))
  broker.status = 503
  await assert.rejects(feed.refresh(), { message: 'the broker answered 503' })
  assert.equal(feed.judge(['x'], 1), 'unknown')
})

/** What the feed names, and whether the token of the stage is refused. */
for (const [hash, refused] of [
  [NAME, true],
  [nameOf('token', 'j'), true],
  [nameOf('actor', 'x'), true],
  ['lineage-of-token', true],
  [nameOf('sub', 'another'), false],
] as const) {
  test(`${hash} revoked: the verifier ${refused ? 'refuses' : 'accepts'} the token`, async (t) => {
    const { take, token, verify } = await stage(t)
    await take(edit('revocations', [{ hash }]))
    const verified = verify()(await token())
    if (refused) await assert.rejects(verified, InvalidToken)
    else assert.equal((await verified).clientId, 'x')
  })
}

test('a token of a key that a feed of another key revokes is refused', async (t) => {
  const { token, verify, kid } = await stage(t)
  const revoked = new Set([nameOf('key', kid)])
  const judge = (names: Iterable<string>) =>
    [...names].some((name) => revoked.has(name)) ? ('revoked' as const) : ('good' as const)
  await assert.rejects(verify({ revocations: { judge } })(await token()), InvalidToken)
})

/** An introspector to whom one token is active. */
const asking = (active: string) => ({
  phantom: async () => null,
  claims: async (token: string) => (token === active ? {} : null),
})

test('without a feed that can tell: refused by default, accepted or asked about on demand', async (t) => {
  const { token, verify } = await stage(t)
  const text = await token()
  await assert.rejects(verify()(text), RevocationUnknown)
  assert.equal((await verify({ onStale: 'accept' })(text)).clientId, 'x')
  assert.equal((await verify({ introspector: asking(text) })(text)).clientId, 'x')
  await assert.rejects(verify({ introspector: asking('another') })(text), InvalidToken)
})
