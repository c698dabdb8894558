import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import {
  allOf,
  field,
  ProtobufError,
  readFields,
  soleOf,
  textOf,
} from '../../src/agent/sources/spiffe/protobuf.ts'

const number = fc.integer({ min: 1, max: 2 ** 29 - 1 })
const bytes = fc.uint8Array({ maxLength: 400 }).map((value) => Buffer.from(value))
const fields = fc.array(fc.record({ number, value: bytes }, { noNullPrototype: true }), {
  maxLength: 8,
})

/** May throw nothing but ProtobufError. */
function reading(message: Buffer) {
  try {
    return readFields(message)
  } catch (error) {
    assert.ok(error instanceof ProtobufError, String(error))
    return null
  }
}

suite('fuzz: Protocol Buffers', () => {
  test('what is written is read', () => {
    fc.assert(
      fc.property(fields, (written) => {
        const message = Buffer.concat(written.map(({ number, value }) => field(number, value)))
        assert.deepEqual(readFields(message), written)
      }),
    )
  })

  test('fields of other types between them are skipped', () => {
    const other = fc.constantFrom(
      '080a',
      `09${'00'.repeat(8)}`,
      '0d00000000',
      '08ffffffffffffffffff01',
    )
    fc.assert(
      fc.property(fields, fc.array(other, { maxLength: 4 }), (written, others) => {
        const parts = written.flatMap(({ number, value }, index) => [
          Buffer.from(others[index] ?? '', 'hex'),
          field(number, value),
        ])
        assert.deepEqual(readFields(Buffer.concat(parts)), written)
      }),
    )
  })

  test('random bytes are a message or a ProtobufError, and no field is longer than they are', () => {
    const byte = fc.oneof(fc.constantFrom(0x0a, 0x12, 0x08, 0x80, 0xff, 0x01), fc.nat(255))
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 40 }), (numbers) => {
        const message = Buffer.from(numbers)
        const read = reading(message) ?? []
        const length = read.reduce((sum, { value }) => sum + value.length, 0)
        assert.ok(length <= message.length)
      }),
      { numRuns: 5000 },
    )
  })

  test('every beginning of a field is refused', () => {
    const message = field(2, Buffer.alloc(300, 1))
    for (let length = 1; length < message.length; length += 1) {
      assert.equal(reading(message.subarray(0, length)), null)
    }
  })

  const rows: readonly (readonly [string, string])[] = [
    ['a field without a number', '0200'],
    ['a group', '0b0c'],
    ['a type that there is not', '0e'],
    ['a length of six digits', '0a808080808000'],
    ['a length beyond the end', '0affffffff0f'],
    ['a number of eleven digits', `08${'80'.repeat(10)}00`],
    ['1001 fields', '0a00'.repeat(1001)],
  ]
  for (const [what, hex] of rows) {
    test(`${what} is refused`, () => assert.equal(reading(Buffer.from(hex, 'hex')), null))
  }

  test('of a field that is not repeated, the last one counts; a string has to be UTF-8', () => {
    const read = readFields(Buffer.concat([field(1, 'a'), field(2, 'x'), field(1, 'é')]))
    assert.equal(textOf(soleOf(read, 1)), 'é')
    assert.deepEqual(allOf(read, 1).map(textOf), ['a', 'é'])
    assert.equal(textOf(soleOf(read, 3)), '')
    assert.throws(() => textOf(Buffer.of(0xc3)), ProtobufError)
  })
})
