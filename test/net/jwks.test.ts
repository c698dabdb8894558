import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { createDoor } from '../../src/net/fetch.ts'
import { KeySource } from '../../src/net/jwks.ts'
import { type JwksSettings, keyReader, type Reading } from '../../src/net/keyreader.ts'
import { KeySetError } from '../../src/net/keyset.ts'
import { refused } from '../world/attest.ts'
import { settle, TestClock } from '../world/clock.ts'
import { FakeIssuer } from '../world/issuer.ts'
import { renamed, signer } from '../world/keys.ts'

const first = renamed(signer('cluster'), 'first')
const second = renamed(signer('west'), 'second')
const setOf = (...keys: readonly { readonly jwk: unknown }[]) =>
  JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })

/** A key source over a document that tests change; `text` null makes reading fail. */
function setStage(options: { maxAgeSeconds?: number } = {}) {
  const clock = new TestClock()
  const world = {
    text: setOf(first) as string | null,
    reads: 0,
    warnings: [] as string[],
    skewSeconds: 7,
  }
  const read = async (): Promise<Reading> => {
    world.reads += 1
    if (world.text === null) throw new Error('the issuer is away')
    const serverTimeMs = clock.now() + world.skewSeconds * 1000
    return { text: world.text, maxAgeSeconds: options.maxAgeSeconds ?? 0, serverTimeMs }
  }
  const source = new KeySource({
    read,
    algorithms: ['RS256', 'ES256'],
    now: clock.now,
    timers: clock.timers,
    warn: (_detail, sentence) => world.warnings.push(sentence),
  })
  return { clock, world, source }
}

suite('a key source', () => {
  test('finds nothing before the first reading, then the key', async () => {
    const { source } = setStage()
    assert.equal(source.find('first'), undefined)
    await source.start()
    assert.deepEqual(source.find('first')?.algorithms, ['RS256'])
    assert.deepEqual(source.health(), {
      ready: true,
      keys: 1,
      keysAgeSeconds: 0,
      clockSkewSeconds: 7,
      problem: null,
    })
  })

  for (const [maxAgeSeconds, delay] of [
    [0, 195],
    [600, 390],
    [86_400, 2340],
  ] as const) {
    test(`refreshes after ${delay} s when the issuer says max-age=${maxAgeSeconds}`, async () => {
      const { clock, source, world } = setStage({ maxAgeSeconds })
      await source.start()
      assert.deepEqual(clock.pending(), [delay])
      world.text = setOf(second)
      clock.advance(delay)
      await settle()
      assert.equal(world.reads, 2)
      assert.equal(source.find('first'), undefined, 'a withdrawn key is dropped')
      assert.ok(source.find('second'))
      source.close()
    })
  }

  test('reads once for all who wait', async () => {
    const { source, world } = setStage()
    await Promise.all(Array.from({ length: 50 }, () => source.obtain('first')))
    assert.equal(world.reads, 1)
  })

  test('remembers for 60 s that a kid is unknown', async () => {
    const { clock, source, world } = setStage()
    await source.start()
    const refusal = await refused(source.obtain('ghost'), 'key_unknown')
    assert.deepEqual(refusal.detail['known'], ['first'])
    world.text = setOf(first, renamed(second, 'ghost'))
    await refused(source.obtain('ghost'), 'key_unknown')
    assert.equal(world.reads, 2)
    clock.advance(60)
    await source.obtain('ghost')
  })

  test('asks for unknown kids twice in a row, then once in 10 s', async () => {
    const { clock, source, world } = setStage()
    await source.start()
    await refused(source.obtain('a'), 'key_unknown')
    await refused(source.obtain('b'), 'key_unknown')
    await refused(source.obtain('c'), 'issuer_keys_unavailable')
    assert.equal(world.reads, 3)
    clock.advance(10)
    await refused(source.obtain('c'), 'key_unknown')
    await refused(source.obtain('d'), 'issuer_keys_unavailable')
    assert.equal(world.reads, 4)
  })

  test('backs off from 1 s to 60 s, and all callers share it', async () => {
    const { clock, source, world } = setStage()
    world.text = null
    const delays: number[] = []
    await source.start()
    for (let attempt = 0; attempt < 8; attempt += 1) {
      for (let caller = 0; caller < 5; caller += 1) {
        await refused(source.obtain('first'), 'issuer_keys_unavailable')
      }
      const [delay = 0] = clock.pending()
      delays.push(delay)
      clock.advance(delay)
      await settle()
    }
    assert.deepEqual(delays, [0.75, 1.5, 3, 6, 12, 24, 45, 45])
    assert.equal(world.reads, 9)
    assert.equal(source.health().problem, 'the issuer is away')
  })

  test('recovers by itself when the issuer is back', async () => {
    const { clock, source, world } = setStage()
    world.text = null
    await source.start()
    world.text = setOf(first)
    clock.advance(1)
    await settle()
    assert.ok(source.find('first'))
    assert.equal(source.health().problem, null)
  })

  test('uses stale keys for 24 h, then issuer_keys_unavailable', async () => {
    const { clock, source, world } = setStage()
    await source.start()
    world.text = null
    clock.advance(195)
    await settle()
    clock.advance(24 * 3600 - 196)
    assert.ok(source.find('first'))
    await refused(source.obtain('new'), 'issuer_keys_unavailable')
    clock.advance(1)
    await settle()
    assert.equal(source.find('first'), undefined)
    await refused(source.obtain('first'), 'issuer_keys_unavailable')
    assert.equal(source.health().ready, false)
  })

  test('keeps its keys when the new document is no key set', async () => {
    const { clock, source, world } = setStage()
    await source.start()
    world.text = '{"keys":1}'
    clock.advance(195)
    await settle()
    assert.ok(source.find('first'))
    assert.match(source.health().problem ?? '', /no array/)
  })

  test('reports a rejected key once, not at every refresh', async () => {
    const { clock, source, world } = setStage()
    world.text = setOf(first, { jwk: { kty: 'oct', k: 'AAAA', kid: 'x' } })
    await source.start()
    clock.advance(195)
    await settle()
    assert.equal(world.reads, 2)
    assert.deepEqual(world.warnings, ['key 1 (kid x) is not used: it holds secret key material'])
  })

  test('does no more work once closed, even when a reading was under way', async () => {
    const { clock, source } = setStage()
    const starting = source.start()
    source.close()
    await starting
    assert.deepEqual(clock.pending(), [])
  })

  test('never refreshes keys that are part of the configuration, and never tires of them', async () => {
    const { clock, source } = setStage({ maxAgeSeconds: Number.POSITIVE_INFINITY })
    await source.start()
    assert.deepEqual(clock.pending(), [])
    clock.advance(10 * 365 * 86_400)
    assert.ok(source.find('first'))
  })
})

suite('a key reader', () => {
  async function openIssuer(t: TestContext) {
    const issuer = await new FakeIssuer([first]).listen()
    const folder = await mkdtemp(join(tmpdir(), 'countersign-keys-'))
    t.after(async () => {
      await issuer.close()
      await rm(folder, { recursive: true })
    })
    const read = (settings: JwksSettings, name = issuer.origin) =>
      keyReader({ allowPrivate: true, ...settings }, name, createDoor())()
    return { issuer, folder, read }
  }

  test('follows discovery to the issuer’s own keys', async (t) => {
    const { issuer, read } = await openIssuer(t)
    const { text, maxAgeSeconds, serverTimeMs } = await read({ discovery: true })
    assert.deepEqual({ text, maxAgeSeconds }, { text: setOf(first), maxAgeSeconds: 600 })
    assert.ok(serverTimeMs !== null && serverTimeMs > 0)
    assert.deepEqual(issuer.requests, ['/.well-known/openid-configuration', '/openid/v1/jwks'])
  })

  test('finds the document of an issuer that ends with a slash (AKS)', async (t) => {
    const { issuer, read } = await openIssuer(t)
    issuer.discovery = (document) => Object.assign(document, { issuer: `${issuer.origin}/` })
    await read({ discovery: true }, `${issuer.origin}/`)
  })

  const documents: readonly (readonly [string, Record<string, unknown>])[] = [
    ['another issuer', { issuer: 'https://evil.example' }],
    ['an issuer with one more slash', { issuer: 'http://127.0.0.1/' }],
    ['keys on another origin', { jwks_uri: 'https://evil.example/jwks' }],
    ['keys on another port', { jwks_uri: 'http://127.0.0.1:1/jwks' }],
    ['no keys', { jwks_uri: undefined }],
    ['keys at something that is no URL', { jwks_uri: '/jwks' }],
  ]
  for (const [what, change] of documents) {
    test(`refuses a discovery document with ${what}`, async (t) => {
      const { issuer, read } = await openIssuer(t)
      issuer.discovery = (document) => Object.assign(document, change)
      await assert.rejects(read({ discovery: true }), KeySetError)
      assert.equal(issuer.requests.length, 1)
    })
  }

  test('reads a file and its bearer token anew each time', async (t) => {
    const { issuer, folder, read } = await openIssuer(t)
    const file = join(folder, 'token')
    for (const bearer of ['one', 'two']) {
      await writeFile(file, `${bearer}\n`)
      await read({ url: issuer.jwksUrl, token: file })
      assert.equal(issuer.authorization, `Bearer ${bearer}`)
      await writeFile(join(folder, 'keys'), bearer)
      assert.equal((await read({ file: join(folder, 'keys') })).text, bearer)
    }
  })

  test('refuses a file that is too long, is missing or is no file', async (t) => {
    const { folder, read } = await openIssuer(t)
    const file = join(folder, 'keys')
    await assert.rejects(read({ file }), { code: 'ENOENT' })
    await assert.rejects(read({ file: folder }), KeySetError)
    await writeFile(file, ' '.repeat(256 * 1024 + 1))
    await assert.rejects(read({ file }), KeySetError)
  })

  test('takes inline keys as they are, forever', async (t) => {
    const { read } = await openIssuer(t)
    const { text, maxAgeSeconds } = await read({ inline: { keys: [{ ...first.jwk }] } })
    assert.equal(text, setOf(first))
    assert.equal(maxAgeSeconds, Number.POSITIVE_INFINITY)
  })

  test('does not go to a private address unless the entry says so', async (t) => {
    const { issuer, read } = await openIssuer(t)
    await assert.rejects(read({ url: issuer.jwksUrl, allowPrivate: false }), {
      code: 'refused_origin',
    })
    assert.deepEqual(issuer.requests, [])
  })
})
