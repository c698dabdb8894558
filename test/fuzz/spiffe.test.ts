import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { readBundle } from '../../attestors/spiffe/bundle.ts'
import { KeySetError, readKeySet } from '../../src/net/keyset.ts'
import { parseSpiffeId } from '../../src/net/spiffeid.ts'
import { svidFault } from '../../src/net/svid.ts'
import { signer } from '../world/keys.ts'

const ID = 'spiffe://example.org/a'

const domain = fc.string({
  unit: fc.constantFrom(...'abz019._-'),
  minLength: 1,
  maxLength: 255,
})
const segment = fc
  .string({ unit: fc.constantFrom(...'abzABZ019._-'), minLength: 1, maxLength: 20 })
  .filter((text) => text !== '.' && text !== '..')
const id = fc.record(
  { domain, segments: fc.array(segment, { maxLength: 6 }) },
  { noNullPrototype: true },
)

/** The grammar again, as a second opinion: step by step, where the parser has one expression. */
function isSpiffeId(text: string): boolean {
  const [scheme, nothing, trustDomain = '', ...segments] = text.split('/')
  return (
    Buffer.byteLength(text) <= 2048 &&
    scheme === 'spiffe:' &&
    nothing === '' &&
    trustDomain.length >= 1 &&
    trustDomain.length <= 255 &&
    [...trustDomain].every((c) => 'abcdefghijklmnopqrstuvwxyz0123456789._-'.includes(c)) &&
    segments.every((part) => !['', '.', '..'].includes(part) && !/[^\w.-]/.test(part))
  )
}

suite('fuzz: SPIFFE IDs', () => {
  test('what is put together is taken apart', () => {
    fc.assert(
      fc.property(id, ({ domain, segments }) => {
        const path = segments.map((part) => `/${part}`).join('')
        const uri = `spiffe://${domain}${path}`
        assert.deepEqual(parseSpiffeId(uri), { uri, trustDomain: domain, path })
      }),
    )
  })

  test('what is nearly one is taken exactly where the grammar takes it', () => {
    const piece = fc.constantFrom(
      ...['spiffe:', '//', '/', 'a', 'A', 'example.org', '.', '..', '%2e', '%2F', ':', ':443'],
      ...['@', '?', '#', ' ', '\n', '\u0000', 'é', 'ﬁ', '\\', '*', '_', '-', 'x'.repeat(1020)],
    )
    const text = fc
      .array(piece, { maxLength: 8 })
      .chain((pieces) => fc.constantFrom(pieces.join(''), `spiffe://${pieces.join('')}`))
    const near = fc
      .tuple(fc.constantFrom(ID, 'spiffe://e/b/c'), fc.nat(), fc.string({ maxLength: 2 }))
      .map(([whole, at, inserted]) => {
        const cut = at % (whole.length + 1)
        return whole.slice(0, cut) + inserted + whole.slice(cut)
      })
    fc.assert(
      fc.property(fc.oneof(text, near), (candidate) => {
        const found = parseSpiffeId(candidate)
        assert.equal(found !== null, isSpiffeId(candidate))
        if (found !== null) assert.equal(`spiffe://${found.trustDomain}${found.path}`, candidate)
      }),
      { numRuns: 2000 },
    )
  })

  test('nothing throws', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        if (typeof value !== 'string') assert.equal(parseSpiffeId(value), null)
      }),
    )
  })

  const rows: readonly (readonly [string, string, boolean])[] = [
    ['a trust domain', 'spiffe://example.org', true],
    ['a trust domain of 255 characters', `spiffe://${'a'.repeat(255)}/x`, true],
    ['a trust domain of 256 characters', `spiffe://${'a'.repeat(256)}/x`, false],
    ['2048 bytes', `spiffe://e/${'a'.repeat(2037)}`, true],
    ['2049 bytes', `spiffe://e/${'a'.repeat(2038)}`, false],
    ['three dots', 'spiffe://e/...', true],
    ['a dot', 'spiffe://e/.', false],
    ['two dots in the middle', 'spiffe://e/../a', false],
    ['a hidden file', 'spiffe://e/.a', true],
    ['a slash at the end', 'spiffe://e/a/', false],
    ['a slash after the trust domain', 'spiffe://e/', false],
    ['an empty segment', 'spiffe://e//a', false],
    ['no trust domain', 'spiffe:///a', false],
    ['a port', 'spiffe://e:443/a', false],
    ['a user', 'spiffe://u@e/a', false],
    ['a query', 'spiffe://e/a?b', false],
    ['a fragment', 'spiffe://e/a#b', false],
    ['percent-encoding', 'spiffe://e/%61', false],
    ['a capital in the trust domain', 'spiffe://E/a', false],
    ['a scheme in capitals', 'SPIFFE://e/a', false],
    ['a line feed at the end', 'spiffe://e/a\n', false],
    ['a letter of another script', 'spiffe://e/\u0430', false],
  ]
  for (const [what, text, isRead] of rows) {
    test(`${what} is ${isRead ? 'read' : 'refused'}`, () => {
      assert.equal(parseSpiffeId(text) !== null, isRead)
      assert.equal(isSpiffeId(text), isRead)
    })
  }
})

suite('fuzz: names in certificates', () => {
  test('a certificate is the expected SVID only where its one URI is exactly that', () => {
    const part = fc.constantFrom(`URI:${ID}`, `URI:${ID}b`, 'URI:', `DNS:${ID}`, 'DNS:a', '"', ID)
    const names = fc.array(part, { maxLength: 4 })
    fc.assert(
      fc.property(names, fc.constantFrom(', ', ',', ' '), fc.boolean(), (parts, by, ca) => {
        const subjectaltname = parts.join(by)
        const uris = subjectaltname.split(', ').filter((name) => name.startsWith('URI:'))
        const isSvid = !ca && uris.join() === `URI:${ID}` && !subjectaltname.includes('"')
        assert.equal(svidFault({ subjectaltname, ca }, ID) === null, isSvid)
      }),
    )
  })

  test('a certificate without names is none', () => {
    assert.notEqual(svidFault({ ca: false }, ID), null)
  })
})

suite('fuzz: bundles', () => {
  test('a document is a bundle or a KeySetError, and hands on keys of JWT-SVIDs only', () => {
    const { jwk } = signer('spire', 'ES256')
    const use = fc.constantFrom('jwt-svid', 'x509-svid', 'sig', 'JWT-SVID', null, undefined)
    const key = use.map((value) => ({ ...jwk, use: value }))
    const keys = fc.oneof(fc.array(fc.oneof(key, fc.jsonValue()), { maxLength: 5 }), fc.jsonValue())
    const document = fc.record(
      { keys, spiffe_sequence: fc.jsonValue(), spiffe_refresh_hint: fc.jsonValue() },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(document, fc.jsonValue()), (value) => {
        try {
          const { jwks } = readBundle(JSON.stringify(value))
          const listed = (value as { keys: { use?: unknown }[] }).keys
          const expected = listed.filter((entry) => entry?.use === 'jwt-svid').length
          assert.equal(JSON.parse(jwks).keys.length, expected)
          readKeySet(jwks, ['ES256'])
        } catch (error) {
          if (!(error instanceof KeySetError)) throw error
        }
      }),
    )
  })
})
