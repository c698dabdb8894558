import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import { networkOf } from '../../src/net/addresses.ts'
import { createDoor, type DoorCode, DoorError, type DoorRequest } from '../../src/net/fetch.ts'
import { TestClock } from '../world/clock.ts'
import { FakeIssuer, type Fault } from '../world/issuer.ts'
import { signer } from '../world/keys.ts'

async function setStage(t: TestContext) {
  const clock = new TestClock()
  const server = await new FakeIssuer([signer('cluster')]).listen()
  t.after(() => server.close())
  const request: DoorRequest = {
    url: server.jwksUrl,
    allow: [server.origin],
    allowPrivate: true,
    json: true,
  }
  return { clock, server, request, door: createDoor({ timers: clock.timers }) }
}

async function fails(work: Promise<unknown>, code: DoorCode): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof DoorError, String(error))
    assert.equal(error.code, code, error.message)
    return true
  })
}

/** A door whose resolver gives these addresses for every name. */
const doorTo = (...addresses: string[]) => {
  const asked: string[] = []
  const door = createDoor({
    lookup: async (host) => {
      asked.push(host)
      return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    },
  })
  return { door, asked }
}

suite('the door', () => {
  test('brings a JSON answer back, and leaves no timer behind', async (t) => {
    const { clock, request, door } = await setStage(t)
    const { body, headers } = await door(request)
    assert.equal(JSON.parse(body).keys.length, 1)
    assert.equal(headers['cache-control'], 'max-age=600')
    assert.deepEqual(clock.pending(), [])
  })

  test('sends the credential it was given', async (t) => {
    const { server, request, door } = await setStage(t)
    await door({ ...request, authorization: 'Bearer x' })
    assert.equal(server.authorization, 'Bearer x')
  })

  const faults: readonly (readonly [Fault, DoorCode])[] = [
    ['redirect', 'redirect'],
    ['error', 'status'],
    ['media_type', 'media_type'],
    ['truncated', 'network'],
    ['reset', 'network'],
    ['huge', 'too_large'],
    ['endless', 'too_large'],
  ]
  for (const [fault, code] of faults) {
    test(`ends an answer of kind ${fault} as ${code}, and follows nothing`, async (t) => {
      const { server, request, door } = await setStage(t)
      server.fault = fault
      await fails(door(request), code)
      assert.equal(server.requests.length, 1)
    })
  }

  test('gives up on a slow body after five seconds in all', async (t) => {
    const { clock, server, request, door } = await setStage(t)
    server.fault = 'slow'
    const reached = server.reached()
    const answer = fails(door(request), 'timeout')
    await reached
    clock.advance(4.999)
    assert.deepEqual(clock.pending().length, 1)
    clock.advance(0.001)
    await answer
  })

  test('gives up on a slow resolver as well', async () => {
    const clock = new TestClock()
    const lookup = () => new Promise<never>(() => {})
    const door = createDoor({ timers: clock.timers, lookup })
    const answer = fails(
      door({ url: 'https://a.example/', allow: ['https://a.example'] }),
      'timeout',
    )
    clock.advance(5)
    await answer
  })

  test('says tls when the other side does not speak it', async (t) => {
    const { server, door } = await setStage(t)
    const origin = server.origin.replace('http:', 'https:')
    await fails(door({ url: origin, allow: [origin], allowPrivate: true }), 'tls')
  })

  test('ignores proxies named in the environment of another request', async (t) => {
    const { server, request, door } = await setStage(t)
    await door(request)
    assert.deepEqual(server.requests, ['/openid/v1/jwks'], 'an absolute URL would mean a proxy')
  })
})

suite('an origin', () => {
  const allow = ['https://a.example', 'http://127.0.0.1:1']
  const rows: readonly (readonly [what: string, url: string])[] = [
    ['that is not configured', 'https://b.example/'],
    ['on another port', 'https://a.example:8443/'],
    ['with a longer name', 'https://a.example.evil.example/'],
    ['behind credentials', 'https://a.example@evil.example/'],
    ['with credentials', 'https://user:password@a.example/'],
    ['in plain text', 'http://a.example/'],
    ['that is a file', 'file:///etc/passwd'],
    ['that is no URL', 'a.example'],
  ]
  for (const [what, url] of rows) {
    test(`${what} is refused before it is resolved`, async () => {
      const { door, asked } = doorTo('8.8.8.8')
      await fails(door({ url, allow, allowPrivate: true }), 'refused_origin')
      assert.deepEqual(asked, [])
    })
  }

  test('on loopback is http only with allowPrivate', async () => {
    const { door } = doorTo()
    await fails(door({ url: 'http://127.0.0.1:1/', allow }), 'refused_origin')
  })

  test('in plain text is refused for a name that leads to loopback', async () => {
    const { door } = doorTo('127.0.0.1')
    const origin = 'http://localhost'
    await fails(door({ url: origin, allow: [origin], allowPrivate: true }), 'refused_origin')
  })
})

suite('an address', () => {
  const url = 'https://a.example/'
  const allow = ['https://a.example']

  test('that is private refuses the host, also beside a public one', async () => {
    await fails(doorTo('10.0.0.1').door({ url, allow }), 'refused_address')
    await fails(doorTo('8.8.8.8', '::ffff:192.168.0.1').door({ url, allow }), 'refused_address')
  })

  test('of a metadata service is refused even with allowPrivate', async () => {
    for (const address of [
      '169.254.169.254',
      'fd00:ec2::254',
      '168.63.129.16',
      '64:ff9b::a9fe:a9fe',
    ]) {
      await fails(doorTo(address).door({ url, allow, allowPrivate: true }), 'refused_address')
    }
  })

  test('written into the URL is judged too', async () => {
    for (const host of ['10.0.0.1', '[::1]', '0x7f.1', '2130706433', '[::ffff:7f00:1]']) {
      const { origin } = new URL(`https://${host}`)
      await fails(doorTo().door({ url: `https://${host}/`, allow: [origin] }), 'refused_address')
    }
  })

  test('is asked for once: the connection goes to what was checked (DNS rebinding)', async (t) => {
    const server = await new FakeIssuer([signer('cluster')]).listen()
    t.after(() => server.close())
    let lookups = 0
    const lookup = async () => {
      lookups += 1
      return [{ address: lookups === 1 ? '127.0.0.1' : '192.0.2.1', family: 4 }]
    }
    const origin = `https://rebinding.example:${new URL(server.origin).port}`
    // A failed handshake shows that the connection reached the fake, which speaks no TLS.
    await fails(createDoor({ lookup })({ url: origin, allow: [origin], allowPrivate: true }), 'tls')
    assert.equal(lookups, 1)
  })

  test('that cannot be found is a network failure', async () => {
    await fails(doorTo().door({ url, allow }), 'network')
    const door = createDoor({ lookup: () => Promise.reject(new Error('ENOTFOUND')) })
    await fails(door({ url, allow }), 'network')
  })

  const networks: Readonly<Record<string, readonly string[]>> = {
    public: ['8.8.8.8', '2a00:1450::1', '::ffff:8.8.8.8', '64:ff9b::8.8.8.8'],
    private: [
      '10.1.2.3',
      '100.64.0.1',
      '127.0.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '::1',
      'fd12::1',
      '::ffff:10.0.0.1',
      '64:ff9b::10.0.0.1',
    ],
    special: [
      '0.0.0.0',
      '169.254.169.254',
      '192.0.0.8',
      '192.0.2.1',
      '198.18.0.1',
      '198.51.100.1',
      '203.0.113.1',
      '224.0.0.1',
      '240.0.0.1',
      '255.255.255.255',
      '::',
      '::10.0.0.1',
      'fe80::1',
      'fe80::1%eth0',
      'ff02::1',
      '100::1',
      '2001::1',
      '2001:db8::1',
      '2002:7f00:1::',
      '64:ff9b:1::1',
      'a.example',
      '',
    ],
  }
  for (const [network, addresses] of Object.entries(networks)) {
    for (const address of addresses) {
      test(`${address || 'nothing'} is ${network}`, () => assert.equal(networkOf(address), network))
    }
  }
})
