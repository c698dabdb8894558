/** X.509-SVIDs: what is taken, and one thing wrong at a time. */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { suite, test } from 'node:test'
import type { Reason } from '../../src/refusal.ts'
import { attest, refused } from '../world/attest.ts'
import { DIGITAL_SIGNATURE, issue, KEY_CERT_SIGN, purposes } from '../world/authority.ts'
import { alternativeNames, der, type Extension, oid } from '../world/certificate.ts'
import { put } from '../world/kubernetes.ts'
import { PLANNER, TRUST_DOMAIN } from '../world/spiffe.ts'
import {
  authorityOf,
  HOUR,
  HOUR_ENDS,
  setX509Stage,
  shown,
  svidOf,
  type UnlikeSvid,
  uri,
  type X509Stage,
} from '../world/svid.ts'

const CLIENT_AUTH = '2b06010505070302'
const SERVER_AUTH = '2b06010505070301'
const CRL_SIGN = 0x02
const KEY_ENCIPHERMENT = 0x20
const TOMORROW = { from: '20270116070000Z', until: '20270116080000Z' }
const YESTERDAY = { from: '20270114070000Z', until: '20270114080000Z' }
const UNKNOWN: Extension = { oid: '2a0304', critical: true, value: der(0x05) }
const NAMES: Extension = { oid: '551d1e', value: der(0x30) }

test('an X.509-SVID is the same workload as a JWT-SVID of its id', async (t) => {
  const { clock, issuer, attestor, root, show } = await setX509Stage(t)
  const byToken = await attest(attestor, issuer.mint(), clock)
  const leaf = svidOf(root)
  const byCertificate = await show(shown(leaf))
  const issuedAt = HOUR_ENDS - 3600
  const fact = (value: string) => {
    return { value, grade: 'A', source: 'certificate', observedAt: issuedAt } as const
  }
  assert.deepEqual(byCertificate, {
    ...byToken,
    facts: {
      trustDomain: fact(TRUST_DOMAIN),
      path: fact('/ns/agents/sa/planner'),
      svid: fact('x509'),
    },
    issuedAt,
    expiresAt: HOUR_ENDS,
    replay: { policy: 'reusable', key: leaf.read().fingerprint },
  })
  assert.deepEqual(Object.keys(byCertificate.facts), Object.keys(byToken.facts))
})

type Make = (stage: X509Stage) => string
const leafOf =
  (unlike: UnlikeSvid): Make =>
  ({ root }) =>
    shown(svidOf(root, unlike))
/** Below an intermediate authority that is unlike a good one. */
const below =
  (unlike: Parameters<typeof authorityOf>[2]): Make =>
  ({ root }) => {
    const middle = authorityOf('intermediate', root, unlike)
    return shown(svidOf(middle), middle)
  }

suite('good evidence of other shapes', () => {
  const rows: readonly (readonly [string, Make, (readonly string[])?])[] = [
    ['one below an intermediate authority', below({})],
    ['one below an authority without a SPIFFE ID', below({ extra: [] })],
    ['one with DNS names beside', leafOf({ names: [['dns', 'a.example'], ...uri(PLANNER)] })],
    ['one for clients and servers', leafOf({ more: [purposes(SERVER_AUTH, CLIENT_AUTH)] })],
    ['one that also agrees on keys', leafOf({ usage: DIGITAL_SIGNATURE | 0x08 })],
    ['one of P-384', leafOf({ kind: 'P-384' })],
    ['one of RSA', leafOf({ kind: 'rsa' })],
    ['one with its root beside', ({ root }) => shown(svidOf(root), root)],
    ['one in the other alphabet', ({ root }) => svidOf(root).der.toString('base64url')],
    ['a listed one', leafOf({}), [`spiffe://${TRUST_DOMAIN}/ns/agents/*`]],
  ]
  for (const [what, make, ids] of rows) {
    test(`${what} is taken`, async (t) => {
      const stage = await setX509Stage(t, ids && { ids: [...ids] })
      assert.equal((await stage.show(make(stage))).uri, PLANNER)
    })
  }
})

const ED25519 = { keys: generateKeyPairSync('ed25519') }
const RSA1024 = { keys: generateKeyPairSync('rsa', { modulusLength: 1024 }) }
const STRANGER = authorityOf('stranger')
const NAMESAKE = authorityOf('authority', undefined, {
  keys: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
})

// biome-ignore format: a table, one row a line
const ROWS: readonly (readonly [string, Make, Reason, (readonly string[])?])[] = [
  ['two URIs', leafOf({ names: uri(PLANNER, 'spiffe://evil.example/a') }), 'claim_invalid'],
  ['the same URI twice', leafOf({ names: uri(PLANNER, PLANNER) }), 'claim_invalid'],
  ['no URI', leafOf({ names: [['dns', 'planner.example.org']] }), 'claim_invalid'],
  ['its id hidden in another name (CVE-2021-44532)', leafOf({ names: [['dns', `x, URI:${PLANNER}, x`]] }), 'claim_invalid'],
  ['its id as a DNS name', leafOf({ names: [['dns', PLANNER]] }), 'claim_invalid'],
  ['the id of the trust domain', leafOf({ names: uri(`spiffe://${TRUST_DOMAIN}`) }), 'claim_invalid'],
  ['an id in capitals', leafOf({ names: uri(PLANNER.toUpperCase()) }), 'claim_invalid'],
  ['an id with a zero byte', leafOf({ names: uri(`${PLANNER}\0`) }), 'claim_invalid'],
  ['an id with percent-encoding', leafOf({ names: uri(`${PLANNER}%2e`) }), 'claim_invalid'],
  ['an id with a step up', leafOf({ names: uri(`spiffe://${TRUST_DOMAIN}/a/../b`) }), 'claim_invalid'],
  ['a web address', leafOf({ names: uri('https://example.org/a') }), 'claim_invalid'],
  ['another trust domain, by our authority', leafOf({ names: uri('spiffe://evil.example/a') }), 'issuer_untrusted'],
  ['a trust domain that begins like ours', leafOf({ names: uri(`spiffe://${TRUST_DOMAIN}.evil.example/a`) }), 'issuer_untrusted'],
  ['an id that nobody listed', leafOf({}), 'subject_untrusted', [`spiffe://${TRUST_DOMAIN}/ns/agents/sa/other`]],
  ['a leaf that is an authority', leafOf({ authority: true, usage: DIGITAL_SIGNATURE }), 'certificate_untrusted'],
  ['no key usage', leafOf({ usage: null }), 'certificate_untrusted'],
  ['a key that encrypts and does not sign', leafOf({ usage: KEY_ENCIPHERMENT }), 'certificate_untrusted'],
  ['a leaf that signs certificates', leafOf({ usage: DIGITAL_SIGNATURE | KEY_CERT_SIGN }), 'certificate_untrusted'],
  ['a leaf that signs revocation lists', leafOf({ usage: DIGITAL_SIGNATURE | CRL_SIGN }), 'certificate_untrusted'],
  ['a leaf for servers alone', leafOf({ more: [purposes(SERVER_AUTH)] }), 'certificate_untrusted'],
  ['a critical extension that is not known', leafOf({ more: [UNKNOWN] }), 'certificate_untrusted'],
  ['a key of Ed25519', leafOf(ED25519), 'certificate_untrusted'],
  ['a key of RSA with 1024 bits', leafOf(RSA1024), 'certificate_untrusted'],
  ['a leaf of yesterday', leafOf(YESTERDAY), 'token_expired'],
  ['a leaf that ends now', leafOf({ until: '20270115080000Z' }), 'token_expired'],
  ['a leaf of tomorrow', leafOf(TOMORROW), 'token_premature'],
  ['a leaf that begins in a second', leafOf({ from: '20270115080001Z' }), 'certificate_untrusted'],
  ['a leaf of 24 hours and a second', leafOf({ until: '20270116073001Z' }), 'lifetime_excessive'],
  ['an authority that nobody knows', () => shown(svidOf(STRANGER)), 'certificate_untrusted'],
  ['an authority that brings itself along', () => shown(svidOf(STRANGER), STRANGER), 'certificate_untrusted'],
  ['an authority of the same name', () => shown(svidOf(NAMESAKE)), 'certificate_untrusted'],
  ['a leaf below a leaf', ({ root }) => { const leaf = svidOf(root); return shown(svidOf(leaf), leaf) }, 'certificate_untrusted'],
  ['no certificate of the intermediate', ({ root }) => shown(svidOf(authorityOf('intermediate', root))), 'certificate_untrusted'],
  ['an intermediate before its leaf', ({ root }) => { const m = authorityOf('intermediate', root); return shown(m, svidOf(m)) }, 'claim_invalid'],
  ['an intermediate that is no authority', below({ authority: false }), 'certificate_untrusted'],
  ['an intermediate that signs no certificates', below({ usage: DIGITAL_SIGNATURE }), 'certificate_untrusted'],
  ['an intermediate of yesterday', below(YESTERDAY), 'certificate_untrusted'],
  ['an intermediate of tomorrow', below(TOMORROW), 'certificate_untrusted'],
  ['an intermediate for servers alone', below({ extra: [purposes(SERVER_AUTH)] }), 'certificate_untrusted'],
  ['an intermediate of another trust domain', below({ extra: [alternativeNames(uri('spiffe://evil.example'))] }), 'certificate_untrusted'],
  ['an intermediate with the id of a workload', below({ extra: [alternativeNames(uri(PLANNER))] }), 'certificate_untrusted'],
  ['an intermediate that limits names', below({ extra: [NAMES] }), 'certificate_untrusted'],
  ['an intermediate that critically limits names', below({ extra: [{ ...NAMES, critical: true }] }), 'certificate_untrusted'],
  ['two authorities where one is allowed', ({ root }) => {
    const one = authorityOf('one', root, { pathLength: 0 })
    const two = authorityOf('two', one)
    return shown(svidOf(two), two, one)
  }, 'certificate_untrusted'],
  ['nine certificates (SPIRE 1.14.2)', ({ root }) => shown(svidOf(root), ...Array<typeof root>(8).fill(root)), 'evidence_too_large'],
  ['a certificate of 5 kB', leafOf({ more: [{ oid: '2a0305', value: der(0x04, Buffer.alloc(5000)) }] }), 'evidence_too_large'],
  ['nothing', () => '', 'document_malformed'],
  ['a separator at the end', ({ root }) => `${shown(svidOf(root))}.`, 'document_malformed'],
  ['a line feed', ({ root }) => `${shown(svidOf(root))}\n`, 'document_malformed'],
  ['bytes after the end', ({ root }) => Buffer.concat([svidOf(root).der, Buffer.of(0)]).toString('base64'), 'document_malformed'],
  ['PEM', ({ root }) => svidOf(root).pem, 'document_malformed'],
  ['a JWT-SVID', ({ issuer }) => issuer.mint(), 'document_malformed'],
]

suite('start from good evidence, break one thing', () => {
  for (const [what, make, reason, ids] of ROWS) {
    test(`${what} is refused as ${reason}`, async (t) => {
      const stage = await setX509Stage(t, ids && { ids: [...ids] })
      const refusal = await refused(stage.show(make(stage)), reason)
      assert.notDeepEqual(refusal.detail, {}, 'an operator must be able to mend it')
    })
  }

  test('a format that no entry takes is refused, and the operator hears which there are', async (t) => {
    const { root, show } = await setX509Stage(t)
    const { detail } = await refused(show(shown(svidOf(root)), 'x509-cert'), 'type_refused')
    assert.deepEqual(detail['expected'], ['x509-svid'])
  })
})

suite('how long it lasts', () => {
  test('no longer than the authority above it', async (t) => {
    const { root, show } = await setX509Stage(t)
    const middle = authorityOf('intermediate', root, { ...HOUR, until: '20270115080500Z' })
    assert.equal((await show(shown(svidOf(middle), middle))).expiresAt, 1_800_000_300)
  })

  test('a certificate that ends while its keys are read is over', async (t) => {
    const { root, attestor, clock } = await setX509Stage(t)
    const direct = attestor.direct?.get('x509-svid') ?? assert.fail()
    const prepared = await direct.prepare(shown(svidOf(root)), clock.seconds())
    assert.throws(() => prepared.verify(HOUR_ENDS), { reason: 'token_expired' })
  })

  test('maxCertificateLifetime is what the entry says', async (t) => {
    const { root, show } = await setX509Stage(t, { maxCertificateLifetime: '30m' })
    await refused(show(shown(svidOf(root))), 'lifetime_excessive')
  })
})

suite('authorities of the bundle', () => {
  const second = authorityOf('authority 2')

  test('a new one is believed as soon as it is shown, and one that is gone no longer', async (t) => {
    const { issuer, root, show, clock } = await setX509Stage(t)
    const old = shown(svidOf(root))
    await show(old)
    issuer.roots = [second.pem]
    issuer.rotate()
    clock.advance(20)
    await show(shown(svidOf(second)))
    const { detail } = await refused(show(old), 'certificate_untrusted')
    assert.match(
      String(detail['problem']),
      /^no authority in the bundle of example\.org issued it$/,
    )
  })

  test('a bundle that went back brings none of them back', async (t) => {
    const { issuer, root, show, clock } = await setX509Stage(t)
    issuer.rotate()
    issuer.roots = [second.pem]
    await show(shown(svidOf(second)))
    issuer.roots = [root.pem]
    issuer.change = (bundle) => put(bundle, 'spiffe_sequence', 1)
    clock.advance(20)
    await refused(show(shown(svidOf(root))), 'issuer_keys_unavailable')
  })

  test('a leaf that no bundle explains asks for it once in a minute', async (t) => {
    const { issuer, show } = await setX509Stage(t)
    for (let n = 0; n < 5; n += 1)
      await refused(show(shown(svidOf(STRANGER))), 'certificate_untrusted')
    assert.equal(issuer.requests.length, 1)
  })

  // biome-ignore format: a table, one row a line
  const keys: readonly (readonly [string, (x5c: string[]) => object])[] = [
    ['a key of another use', (x5c) => ({ use: 'jwt-svid', kty: 'EC', x5c })],
    ['a key without a use', (x5c) => ({ kty: 'EC', x5c })],
    ['two certificates in one key', (x5c) => ({ use: 'x509-svid', kty: 'EC', x5c: [...x5c, ...x5c] })],
    ['a certificate that is a text', ([x5c]) => ({ use: 'x509-svid', kty: 'EC', x5c })],
  ]
  for (const [what, make] of keys) {
    test(`${what} vouches for nobody`, async (t) => {
      const { issuer, root, show } = await setX509Stage(t)
      issuer.change = (bundle) => put(bundle, 'keys', [make([root.der.toString('base64')])])
      await refused(show(shown(svidOf(root))), 'certificate_untrusted')
    })
  }

  test('a leaf in place of an authority vouches for nobody', async (t) => {
    const { issuer, root, show } = await setX509Stage(t)
    const leaf = issue('leaf', undefined, { authority: false })
    issuer.roots = [leaf.pem]
    await refused(show(shown(svidOf(leaf))), 'certificate_untrusted')
    await refused(show(shown(svidOf(root))), 'certificate_untrusted')
  })

  test('those that could not be read again for a day vouch for nobody', async (t) => {
    const { issuer, root, show, clock } = await setX509Stage(t, { maxCertificateLifetime: '72h' })
    const value = shown(svidOf(root, { until: '20270117080000Z' }))
    await show(value)
    await issuer.close()
    clock.advance(23 * 3600)
    await show(value)
    clock.advance(2 * 3600)
    await refused(show(value), 'issuer_keys_unavailable')
  })

  test('without any bundle nobody is judged', async (t) => {
    const { issuer, root, show } = await setX509Stage(t)
    await issuer.close()
    await refused(show(shown(svidOf(root))), 'issuer_keys_unavailable')
  })
})

test('SPIRE 1.14.2: a key whose signatures cost more is refused before the first of them', async (t) => {
  const { root, show } = await setX509Stage(t)
  const slow = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 })
  const middle = authorityOf('intermediate', root, { keys: slow })
  // Signed by nobody: had a signature been looked at, that would be the problem.
  const broken = Buffer.from(middle.der)
  broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1
  const { detail } = await refused(
    show(shown(svidOf(middle), { der: broken })),
    'certificate_untrusted',
  )
  assert.match(String(detail['problem']), /exponent of its key/)
})

test('CVE-2026-45796: the address of an issuer, in a certificate that nobody knows yet, is not asked', async (t) => {
  const { issuer, root, show } = await setX509Stage(t)
  const address = new URL('/ca.cer', issuer.jwksUrl)
  const method = [oid('2b06010505073002'), der(0x86, Buffer.from(address.href))]
  const value = der(0x30, der(0x30, ...method))
  const more: readonly Extension[] = [{ oid: '2b06010505070101', value }]
  const leaf = svidOf(authorityOf('intermediate', root), { more })
  await refused(show(shown(leaf)), 'certificate_untrusted')
  assert.deepEqual(issuer.requests, ['/bundle'])
})
