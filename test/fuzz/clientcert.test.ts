/** Whatever a proxy forwards: the readers of its headers answer or refuse, and read back what was written. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseClientCert, parseClientCertChain } from '../../src/http/clientcert.ts'
import { Refusal } from '../../src/refusal.ts'

/** What a reader makes of text: its reading, or null. It may throw nothing but its one refusal. */
function reading<Read>(read: (text: string) => Read, text: string): Read | null {
  try {
    return read(text)
  } catch (error) {
    assert.ok(error instanceof Refusal && error.reason === 'certificate_malformed', String(error))
    return null
  }
}

const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 }).map((array) => Buffer.from(array))
const written = (der: Buffer) => `:${der.toString('base64')}:`
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 100 }),
  fc.string({ unit: fc.constantFrom(...':=,; \tAQ/+-"()\n'), maxLength: 60 }),
  fc
    .tuple(bytes.map(written), fc.nat(300), fc.string({ maxLength: 3 }))
    .map(([text, at, put]) => text.slice(0, at) + put + text.slice(at + 1)),
)

test('what was written is read back', () => {
  fc.assert(fc.property(bytes, (der) => parseClientCert(written(der)).equals(der)))
  const spaces = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 3 })
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 5 }), spaces, (chain, space) => {
      const read = parseClientCertChain(chain.map(written).join(`${space},${space}`))
      assert.deepEqual(read, chain)
    }),
  )
})

test('hostile text is refused, or is nothing but what it says', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const leaf = reading(parseClientCert, text)
      const chain = reading(parseClientCertChain, text)
      if (leaf === null) return
      // One byte sequence is a list of one, and says the same bytes whoever decodes it.
      assert.deepEqual(chain, [leaf])
      assert.match(text, /^ *:[A-Za-z0-9+/]*=*: *$/)
    }),
    { numRuns: 2_000 },
  )
})

test('reading takes time in proportion to the length', () => {
  for (const text of [
    ':'.repeat(65_536),
    ' '.repeat(65_536),
    `:${'A'.repeat(65_534)}`,
    ','.repeat(65_536),
    `:${'='.repeat(65_534)}:`,
  ]) {
    assert.equal(reading(parseClientCert, text), null)
    reading(parseClientCertChain, text)
  }
})
