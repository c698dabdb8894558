/** Chains of certificates: from a good one, one thing broken at a time. */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { suite, test } from 'node:test'
import { readCertificate, readPem } from '../../attestors/certificate.ts'
import { checkChain, checkKey, findChain } from '../../attestors/chain.ts'
import { refused } from '../world/attest.ts'
import {
  DIGITAL_SIGNATURE,
  type Held,
  issue,
  KEY_CERT_SIGN,
  purposes,
  type Unlike,
} from '../world/authority.ts'
import { CLIENT, SERVER } from '../world/cms.ts'

const NOW = 1_800_000_000
const RULES = { nowSeconds: NOW, purpose: SERVER }
const FOR_SERVERS: Unlike = { authority: false, extra: [purposes(SERVER)] }

/** A chain of three, each link of it open to change. */
function chain(change: { root?: Unlike; middle?: Unlike; leaf?: Unlike } = {}): readonly Held[] {
  const root = issue('root', undefined, change.root)
  const middle = issue('middle', root, change.middle)
  return [issue('leaf', middle, { ...FOR_SERVERS, ...change.leaf }), middle, root]
}

const judge = (held: readonly Held[], rules = RULES) =>
  checkChain(
    held.map(({ read }) => read()),
    rules,
  )

suite('chains of certificates', () => {
  test('a good chain holds, and so does one without extended key usage where no purpose is asked', () => {
    judge(chain())
    checkChain(
      chain({ leaf: { extra: [] } }).map(({ read }) => read()),
      { nowSeconds: NOW },
    )
  })

  const critical = { oid: '2a0304', critical: true, value: Buffer.from('0500', 'hex') }
  const rows: readonly (readonly [
    what: string,
    change: Parameters<typeof chain>[0],
    problem: string,
  ])[] = [
    ['a leaf that is over', { leaf: { until: '20270115075959Z' } }, 'expired'],
    ['a leaf that is not valid yet', { leaf: { from: '20270115080001Z' } }, 'not valid for'],
    ['an authority that is over', { middle: { until: '20270115075959Z' } }, 'expired'],
    ['a pinned root that is over', { root: { until: '20270115075959Z' } }, 'expired'],
    [
      'an issuer that is no authority',
      { middle: { authority: false, usage: KEY_CERT_SIGN } },
      'not an authority',
    ],
    [
      'an issuer that may sign no certificates',
      { middle: { usage: DIGITAL_SIGNATURE } },
      'not keyCertSign',
    ],
    ['an issuer without key usage', { middle: { usage: null } }, 'not keyCertSign'],
    ['a path length of zero above an authority', { root: { pathLength: 0 } }, 'path length'],
    [
      'a leaf that is an authority',
      { leaf: { authority: true, usage: DIGITAL_SIGNATURE } },
      'signs no documents',
    ],
    [
      'a leaf that may sign no documents',
      { leaf: { usage: KEY_CERT_SIGN } },
      'not digitalSignature',
    ],
    ['a leaf without key usage', { leaf: { usage: null } }, 'not digitalSignature'],
    ['a leaf for another purpose', { leaf: { extra: [purposes(CLIENT)] } }, 'not for this purpose'],
    ['a leaf for no purpose', { leaf: { extra: [] } }, 'no extended key usage'],
    [
      'an authority for another purpose',
      { middle: { extra: [purposes(CLIENT)] } },
      'not for this purpose',
    ],
    [
      'a critical extension that nobody knows',
      { middle: { extra: [critical] } },
      'critical extension',
    ],
  ]
  for (const [what, change, problem] of rows) {
    test(`${what} is refused as certificate_untrusted`, async () => {
      const { detail } = await refused(() => judge(chain(change)), 'certificate_untrusted')
      assert.ok(String(detail['problem']).includes(problem), String(detail['problem']))
    })
  }

  test('an extension that nobody knows and that is not critical changes nothing', () => {
    judge(chain({ middle: { extra: [{ ...critical, critical: false }] } }))
  })

  test('a signature by another key of the same name is refused', async () => {
    const [, middle, root] = chain()
    const stranger = issue('middle', undefined, { keys: generate() })
    const leaf = issue('leaf', stranger, FOR_SERVERS)
    assert.ok(middle && root)
    await refused(() => judge([leaf, middle, root]), 'certificate_untrusted')
  })

  test('a signature with SHA-1 is refused, whoever made it', async () => {
    const [leaf, middle, root] = chain().map(({ read }) => read())
    assert.ok(leaf && middle && root)
    const sha1 = '2a864886f70d010105'
    // What a root says of itself is not believed for its signature.
    checkChain([leaf, middle, { ...root, algorithm: sha1 }], RULES)
    const weak = [leaf, { ...middle, algorithm: sha1 }, root]
    const { detail } = await refused(() => checkChain(weak, RULES), 'certificate_untrusted')
    assert.match(String(detail['problem']), /algorithm that is refused/)
  })

  test('a chain whose names do not follow is refused', async () => {
    const [leaf, , root] = chain()
    assert.ok(leaf && root)
    await refused(() => judge([leaf, root]), 'certificate_untrusted')
  })

  test('SPIRE 1.14.2: a chain is bounded, and so is a key, before a signature is verified', async () => {
    const long = Array.from({ length: 7 }, () => chain()[2]).filter((held) => held !== undefined)
    await refused(() => judge(long), 'certificate_untrusted')
    await refused(() => judge(long.slice(0, 1)), 'certificate_untrusted')
    const slow = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 0x10003 })
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const other = generateKeyPairSync('ed25519')
    for (const keys of [slow, weak, other]) {
      // An authority signs it, since this is about the key that it holds.
      const leaf = issue('leaf', issue('middle'), { ...FOR_SERVERS, keys })
      await refused(() => checkKey(leaf.read()), 'certificate_untrusted')
    }
  })

  test('a chain is found among many, whatever else has the same names', async () => {
    const [leaf, middle, root] = chain()
    assert.ok(leaf && middle && root)
    const namesake = issue('middle', root, { keys: generate() })
    const roots = [issue('root', undefined, { keys: generate() }), root].map(({ read }) => read())
    const intermediates = [namesake, middle].map(({ read }) => read())
    const found = findChain(leaf.read(), { roots, intermediates }, RULES)
    assert.deepEqual(
      found.map(({ fingerprint }) => fingerprint),
      [leaf, middle, root].map(({ read }) => read().fingerprint),
    )
    const lost = { roots, intermediates: [namesake.read()] }
    await refused(() => findChain(leaf.read(), lost, RULES), 'certificate_untrusted')
    await refused(
      () => findChain(leaf.read(), { roots: [], intermediates }, RULES),
      'certificate_untrusted',
    )
  })

  test('authorities that sign each other in a circle come to an end', async () => {
    const a = issue('a', issue('b'))
    const b = issue('b', issue('a'))
    const leaf = issue('leaf', issue('a'), FOR_SERVERS)
    const intermediates = [a, b].map(({ read }) => read())
    await refused(
      () => findChain(leaf.read(), { roots: [], intermediates }, RULES),
      'certificate_untrusted',
    )
  })

  test('a certificate with bytes after it, a repeated extension or no key of ours is malformed', async () => {
    const [leaf] = chain()
    assert.ok(leaf)
    await refused(
      () => readCertificate(Buffer.concat([leaf.der, Buffer.of(0)])),
      'document_malformed',
    )
    const twice = issue('leaf', undefined, { extra: [purposes(SERVER), purposes(SERVER)] })
    await refused(() => twice.read(), 'document_malformed')
  })

  const extensions: readonly (readonly [what: string, oid: string, hex: string])[] = [
    ['key usage that is no bit string', '551d0f', '040180'],
    ['extended key usage that is no list', '551d25', '0500'],
    ['a purpose that is a number', '551d25', '3003020101'],
    ['names that are no list', '551d11', '0500'],
    ['an extension that is not DER', '551d11', '3080'],
  ]
  for (const [what, oid, hex] of extensions) {
    test(`${what} is refused as document_malformed`, async () => {
      const extra = [{ oid, value: Buffer.from(hex, 'hex') }]
      const held = issue('leaf', undefined, { usage: null, extra })
      await refused(() => held.read(), 'document_malformed')
    })
  }

  test('a PEM file without a certificate says so', () => {
    assert.throws(() => readPem('-----BEGIN PRIVATE KEY-----'), /holds no certificate/)
    assert.equal(
      readPem(
        chain()
          .map(({ pem }) => pem)
          .join('text between\n'),
      ).length,
      3,
    )
  })
})

function generate() {
  return generateKeyPairSync('ec', { namedCurve: 'P-384' })
}
