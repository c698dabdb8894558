/** Bundle endpoints of the profile `https_spiffe`: who may speak for a trust domain, and from when on no longer. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { Agent, get } from 'node:https'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { createDoor } from '../../src/net/fetch.ts'
import { attest, refused } from '../world/attest.ts'
import { AUTHORITY, type Certificate, selfSigned } from '../world/certificate.ts'
import { TestClock } from '../world/clock.ts'
import { put } from '../world/kubernetes.ts'
import { scratch } from '../world/scratch.ts'
import { attestorOf, FakeSpire, TRUST_DOMAIN } from '../world/spiffe.ts'
import { Authority, ENDPOINT_ID, type Names, SpiffeEndpoint } from '../world/spiffeendpoint.ts'

/** A trust domain with one authority, its endpoint, and an attestor that got the bundle of today by hand. */
async function setStage(t: TestContext, certificate?: (authority: Authority) => Certificate) {
  const clock = new TestClock()
  const authority = new Authority('authority 1')
  const spire = new FakeSpire(clock)
  spire.roots = [authority.root]
  const own = certificate?.(authority) ?? authority.issue()
  const endpoint = await new SpiffeEndpoint(spire, own).listen(t)
  const bootstrap = join(scratch(t), 'bootstrap.json')
  writeFileSync(bootstrap, JSON.stringify(spire.bundle()))
  const attestor = attestorOf(t, clock, {
    url: endpoint.url,
    profile: 'https_spiffe',
    endpointId: ENDPOINT_ID,
    bootstrap,
    allowPrivate: true,
  })
  /** Shows a token of an unknown key, so that the bundle is read again. */
  const rotated = () => {
    spire.rotate(`rotated-${endpoint.resumed.length}`)
    clock.advance(60)
    return attest(attestor, spire.mint(), clock)
  }
  return { clock, authority, spire, endpoint, bootstrap, attestor, rotated }
}

test('an endpoint with the SVID of the configured id is believed', async (t) => {
  const { clock, spire, attestor, rotated } = await setStage(t)
  await attestor.start()
  assert.equal(attestor.health().problem, null)
  await attest(attestor, spire.mint(), clock)
  await rotated()
})

const uri = (id: string): Names => [['uri', id]]
type Row = readonly [what: string, problem: RegExp, make: (authority: Authority) => Certificate]

const IMPOSTORS: readonly Row[] = [
  [
    'the SVID of another workload of the trust domain',
    /is for another SPIFFE ID$/,
    (authority) => authority.issue(uri(`${ENDPOINT_ID}/x`)),
  ],
  [
    'an SVID of another trust domain by the same authority',
    /is for another SPIFFE ID$/,
    (authority) => authority.issue(uri('spiffe://evil.example/spire/server')),
  ],
  [
    'its id in capitals',
    /is for another SPIFFE ID$/,
    (authority) => authority.issue(uri(ENDPOINT_ID.toUpperCase())),
  ],
  [
    'two URIs',
    /has 2 URIs/,
    (authority) => authority.issue([...uri(ENDPOINT_ID), ...uri('spiffe://evil.example/x')]),
  ],
  ['its id as a DNS name', /has 0 URIs/, (authority) => authority.issue([['dns', ENDPOINT_ID]])],
  [
    'the right host name and no id',
    /has 0 URIs/,
    (authority) => authority.issue([['dns', '127.0.0.1']]),
  ],
  [
    'its id hidden in another name (CVE-2021-44532)',
    /has a name that no SVID has$/,
    (authority) => authority.issue([['dns', `x, URI:${ENDPOINT_ID}, x`]]),
  ],
  [
    'the certificate of an authority',
    /is that of an authority/,
    (authority) => authority.issue(undefined, {}, [AUTHORITY]),
  ],
  ['the right id by another authority', /UNABLE_TO/, () => new Authority('authority 2').issue()],
  [
    'the right id by an authority of the same name',
    /CERT_SIGNATURE_FAILURE|UNABLE_TO/,
    () => new Authority('authority 1').issue(),
  ],
  [
    'an SVID that has expired',
    /CERT_HAS_EXPIRED/,
    (authority) => authority.issue(undefined, { until: '20200101000000Z' }),
  ],
  [
    'an SVID of tomorrow',
    /CERT_NOT_YET_VALID/,
    (authority) => authority.issue(undefined, { from: '99980101000000Z' }),
  ],
]

suite('an endpoint that is somebody else is not asked', () => {
  for (const [what, problem, make] of IMPOSTORS) {
    test(what, async (t) => {
      const { clock, spire, endpoint, attestor } = await setStage(t, make)
      await refused(attest(attestor, spire.mint(), clock), 'issuer_keys_unavailable')
      assert.match(String(attestor.health().problem), problem)
      assert.deepEqual(endpoint.resumed, [])
    })
  }

  test('nor is one that a web authority vouches for', async (t) => {
    const { clock, spire, attestor, bootstrap } = await setStage(t, () => selfSigned('127.0.0.1'))
    spire.roots = []
    writeFileSync(bootstrap, JSON.stringify(spire.bundle()))
    await refused(attest(attestor, spire.mint(), clock), 'issuer_keys_unavailable')
    assert.match(String(attestor.health().problem), /no X.509 authority is known/)
  })

  for (const [what, request] of [
    ['without roots', {}],
    ['with empty roots', { ca: '' }],
  ] as const) {
    test(`nor does the door ask for a SPIFFE ID ${what}`, async () => {
      const door = createDoor()
      const url = 'https://127.0.0.1:1/'
      const to = { url, allow: ['https://127.0.0.1:1'], allowPrivate: true, spiffeId: ENDPOINT_ID }
      await assert.rejects(door({ ...to, ...request }), { code: 'refused_origin' })
      const plain = { ...to, url: 'http://127.0.0.1:1/', allow: ['http://127.0.0.1:1'], ca: 'x' }
      await assert.rejects(door(plain), { code: 'refused_origin' })
    })
  }
})

suite('authorities follow the newest bundle', () => {
  test('a new one vouches once the bundle has named it', async (t) => {
    const { authority, spire, endpoint, attestor, rotated } = await setStage(t)
    await attestor.start()
    const next = new Authority('authority 2')
    spire.roots = [authority.root, next.root]
    await rotated()
    endpoint.show(next.issue())
    await rotated()
  })

  test('one that was withdrawn vouches no more, although the bootstrap file has it', async (t) => {
    const { authority, spire, endpoint, attestor, rotated } = await setStage(t)
    await attestor.start()
    const next = new Authority('authority 2')
    spire.roots = [next.root]
    await rotated()
    endpoint.show(authority.issue())
    await refused(rotated(), 'issuer_keys_unavailable')
    assert.match(String(attestor.health().problem), /UNABLE_TO/)
  })

  test('a first bundle older than the bootstrap file is refused', async (t) => {
    const { spire, attestor } = await setStage(t)
    spire.change = (bundle) => put(bundle, 'spiffe_sequence', 0)
    await attestor.start()
    assert.match(String(attestor.health().problem), /went back from 1 to 0/)
    assert.equal(attestor.health().keys, 0)
  })

  test('the keys of the bootstrap file verify nothing', async (t) => {
    const { clock, spire, attestor } = await setStage(t)
    const before = spire.mint()
    spire.rotate()
    await refused(attest(attestor, before, clock), 'key_unknown')
  })
})

test('SPIRE #6715: no session is resumed, so that every certificate is read', async (t) => {
  const { authority, endpoint, attestor, rotated } = await setStage(t)
  await attestor.start()
  await rotated()
  // A caller that keeps sessions would resume here, and never see whom it talks to.
  endpoint.show(authority.issue(uri(`spiffe://${TRUST_DOMAIN}/other`)))
  await refused(rotated(), 'issuer_keys_unavailable')
  assert.match(String(attestor.health().problem), /is for another SPIFFE ID$/)
  assert.deepEqual(endpoint.resumed, [false, false])

  await twice(endpoint.url, t)
  assert.deepEqual(endpoint.resumed, [false, false, false, true])
})

/** Asks as a caller that keeps sessions. */
async function twice(url: string, t: TestContext): Promise<void> {
  const agent = new Agent({ rejectUnauthorized: false })
  t.after(() => agent.destroy())
  for (let n = 0; n < 2; n += 1) {
    await new Promise((resolve, reject) => {
      get(url, { agent }, (response) => response.resume().on('end', resolve)).on('error', reject)
    })
  }
}
