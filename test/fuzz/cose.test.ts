import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { encode } from 'cborg'
import fc from 'fast-check'
import { readCbor, readSigned } from '../../attestors/nitro/cose.ts'
import { verifyNitroDocument } from '../../attestors/nitro/document.ts'
import { readPayload } from '../../attestors/nitro/payload.ts'
import { Refusal } from '../../src/refusal.ts'
import * as nitro from '../world/cose.ts'

/** What a reader makes of bytes: its reading, or null. It may throw nothing but Refusal. */
function reading<Read>(read: (bytes: Buffer) => Read, bytes: Uint8Array): Read | null {
  try {
    return read(Buffer.from(bytes))
  } catch (error) {
    const reasons = ['document_malformed', 'algorithm_refused', 'claim_invalid']
    assert.ok(error instanceof Refusal && reasons.includes(error.reason), String(error))
    return null
  }
}

const strictly = (bytes: Buffer) => readCbor(bytes, false)
const loosely = (bytes: Buffer) => readCbor(bytes, true)
const READERS = [strictly, loosely, readSigned, readPayload]

const { root, leaf, bundle } = nitro.nitroAuthorities()
const PAYLOAD = Buffer.from(encode(nitro.enclavePayload(leaf, bundle)))
const MESSAGE = nitro.signed(PAYLOAD, leaf)

const refusedForms: readonly (readonly [what: string, hex: string])[] = [
  ['nothing', ''],
  ['bytes after the end', '8000'],
  ['a name twice', 'a2616101616102'],
  ['a number of two bytes where one does', '1801'],
  ['a length of two bytes where one does', '580100'],
  ['undefined', 'f7'],
  ['not a number', 'f97e00'],
  ['a tag inside', 'c11a514b67b0'],
  ['an end of nothing', 'ff'],
  ['an array that is cut off', '8201'],
  ['an array of 2^32 members', '9affffffff00'],
  ['an array of 2^64 members', '9bffffffffffffffff00'],
  ['a string of 2^32 bytes', '5affffffff00'],
  ['a string in pieces', '5f4101ff'],
  ['a map whose end comes after a name', 'bf6161ff'],
]

suite('fuzz: CBOR and COSE', () => {
  for (const [what, hex] of refusedForms) {
    test(`${what} is refused`, () => {
      assert.equal(reading(strictly, Buffer.from(hex, 'hex')), null)
      assert.equal(reading(loosely, Buffer.from(hex, 'hex')), null)
    })
  }

  test('arrays and maps without a length are read only where they are expected', () => {
    for (const hex of ['9f01ff', 'bf616101ff', '82019f02ff', 'bf61619f0102ff616200ff']) {
      assert.equal(reading(strictly, Buffer.from(hex, 'hex')), null)
      assert.notEqual(reading(loosely, Buffer.from(hex, 'hex')), null)
    }
    const twice = Buffer.from('bf616101616102ff', 'hex')
    assert.equal(reading(loosely, twice), null)
  })

  test('depth and number of items are bounded before anything is built', () => {
    for (const byte of [0x81, 0x9f, 0xa1, 0xbf]) {
      assert.equal(reading(loosely, Buffer.alloc(16_000, byte)), null)
    }
    assert.equal(reading(loosely, Buffer.from(encode(Array.from({ length: 600 }, () => 0)))), null)
    assert.equal(reading(loosely, Buffer.from('818181818100', 'hex')), null)
    assert.notEqual(reading(loosely, Buffer.from('8481810081810081810000', 'hex')), null)
  })

  test('what is read strictly is the shortest encoding of itself', () => {
    const value = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.integer(),
        fc.string(),
        fc.boolean(),
        fc.uint8Array({ maxLength: 40 }),
        fc.array(tie('value'), { maxLength: 4 }),
      ),
    })).value
    fc.assert(
      fc.property(value, (any) => {
        const bytes = Buffer.from(encode(any))
        const read = reading(strictly, bytes)
        assert.ok(read === null || Buffer.from(encode(read)).equals(bytes))
      }),
    )
  })

  test('every beginning of a document is refused', () => {
    for (let length = 0; length < MESSAGE.length; length += 1) {
      assert.equal(reading(readSigned, MESSAGE.subarray(0, length)), null)
    }
  })

  test('documents with bytes changed, put in or taken out throw nothing but Refusal', () => {
    for (const whole of [MESSAGE, PAYLOAD]) {
      const edit = fc.record({
        at: fc.nat(whole.length - 1),
        removed: fc.nat(3),
        inserted: fc.uint8Array({ maxLength: 4 }),
      })
      fc.assert(
        fc.property(edit, fc.constantFrom(...READERS), ({ at, removed, inserted }, read) => {
          const parts = [whole.subarray(0, at), inserted, whole.subarray(at + removed)]
          reading(read, Buffer.concat(parts))
        }),
        { numRuns: 1000 },
      )
    }
  })

  test('a document with one byte changed is refused, or says what it said', () => {
    const options = {
      challenge: nitro.CHALLENGE,
      rules: { enclave: { 0: [nitro.measurement(0)] } },
      roots: [root.read().fingerprint],
    }
    const verify = (bytes: Buffer) =>
      verifyNitroDocument(bytes.toString('base64url'), options, nitro.NOW)
    const good = verify(MESSAGE)
    const place = fc.nat(MESSAGE.length - 1)
    fc.assert(
      fc.property(place, fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const bytes = Buffer.from(MESSAGE)
        bytes[at] = byte
        try {
          assert.deepEqual(verify(bytes), good)
        } catch (error) {
          assert.ok(error instanceof Refusal, String(error))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('random bytes throw nothing but Refusal', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.constantFrom(...READERS), (bytes, read) => {
        reading(read, bytes)
      }),
      { numRuns: 3000 },
    )
  })
})
