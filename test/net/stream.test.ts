import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite, type TestContext, test } from 'node:test'
import { createDoor, DoorError, type DoorRequest } from '../../src/net/fetch.ts'
import { TestClock } from '../world/clock.ts'
import { until } from '../world/view.ts'

/** A server that hands its answers to the test, and a stream that is being read from it. */
async function setStage(t: TestContext, request: Partial<DoorRequest> = {}) {
  const answers: ServerResponse[] = []
  const server = createServer((_request, response) => answers.push(response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  const clock = new TestClock()
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const abort = new AbortController()
  const seen = { text: '', opened: 0 }
  const reading = {
    idleMs: 90_000,
    signal: abort.signal,
    onOpen: () => {
      seen.opened += 1
    },
    onChunk: (chunk: Buffer) => {
      seen.text += chunk.toString()
      if (seen.text.endsWith('!')) throw new RangeError('enough')
    },
  }
  const done = createDoor({ timers: clock.timers }).stream(
    { url: `${origin}/`, allow: [origin], allowPrivate: true, json: true, ...request },
    reading,
  )
  // Judged by each test; until then it is no unhandled rejection.
  done.catch(() => {})
  const answer = async () => {
    await until('a request', () => answers.length === 1)
    const [response] = answers
    assert.ok(response)
    return response
  }
  const begin = async () => {
    const response = await answer()
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    await until('the head', () => seen.opened === 1)
    return response
  }
  return { clock, abort, seen, done, answer, begin }
}

suite('a stream through the door', () => {
  test('is handed on as it comes, to its end, and leaves no timer behind', async (t) => {
    const { clock, seen, done, begin } = await setStage(t)
    const response = await begin()
    response.write('a')
    await until('a piece', () => seen.text === 'a')
    response.end('b')
    await done
    assert.equal(seen.text, 'ab')
    assert.deepEqual(clock.pending(), [])
  })

  test('has five seconds for its head, and then as long as it says something', async (t) => {
    const { clock, seen, done, begin } = await setStage(t)
    assert.deepEqual(clock.pending(), [5])
    const response = await begin()
    for (const piece of ['a', 'b', 'c']) {
      clock.advance(89)
      response.write(piece)
      await until('a piece', () => seen.text.endsWith(piece))
    }
    clock.advance(90)
    await assert.rejects(done, { code: 'timeout', message: /within 90000 ms/ })
    await until('the end of the connection', () => response.destroyed)
  })

  test('is over when its head does not come', async (t) => {
    const { clock, done, answer } = await setStage(t, { timeoutMs: 15_000 })
    await answer()
    clock.advance(15)
    await assert.rejects(done, { code: 'timeout' })
  })

  test('is over when the reader leaves, or has enough', async (t) => {
    const left = await setStage(t)
    const response = await left.begin()
    left.abort.abort()
    await assert.rejects(left.done, { code: 'network' })
    await until('the end of the connection', () => response.destroyed)
    assert.deepEqual(left.clock.pending(), [])

    const enough = await setStage(t)
    const more = await enough.begin()
    more.write('!')
    await assert.rejects(enough.done, RangeError)
    await until('the end of the connection', () => more.destroyed)
  })

  test('does not begin for a reader who has left', async (t) => {
    const abort = AbortSignal.abort()
    const origin = 'https://127.0.0.1:1'
    const request = { url: origin, allow: [origin], allowPrivate: true }
    const reading = { onChunk() {}, idleMs: 1, signal: abort }
    await assert.rejects(createDoor().stream(request, reading), { code: 'network' })
    t.diagnostic('nothing was connected')
  })

  test('is over beyond its limit of bytes, or when it breaks', async (t) => {
    const large = await setStage(t, { maxBytes: 3 })
    ;(await large.begin()).write('abcd')
    await assert.rejects(large.done, { code: 'too_large' })
    const broken = await setStage(t)
    ;(await broken.begin()).destroy()
    await assert.rejects(broken.done, { code: 'network' })
  })

  const heads: readonly (readonly [number, string, string])[] = [
    [302, 'application/json', 'redirect'],
    [410, 'application/json', 'status'],
    [200, 'text/html', 'media_type'],
  ]
  for (const [status, type, code] of heads) {
    test(`ends with ${code} for a head of ${status} ${type}`, async (t) => {
      const { seen, done, answer } = await setStage(t)
      ;(await answer()).writeHead(status, { 'content-type': type }).end('{}')
      await assert.rejects(done, (error: unknown) => {
        assert.ok(error instanceof DoorError)
        assert.equal(error.code, code)
        assert.equal(error.status, status === 200 ? null : status)
        return true
      })
      assert.equal(seen.opened, 0)
    })
  }

  test('goes to no origin that is not configured', async (t) => {
    const { done } = await setStage(t, { allow: ['https://other.example'] })
    await assert.rejects(done, { code: 'refused_origin' })
  })
})
