import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { readMessage } from '../../attestors/azure/cms.ts'
import { readCertificate } from '../../attestors/certificate.ts'
import { type Element, readDer } from '../../attestors/der.ts'
import { Refusal } from '../../src/refusal.ts'
import { der } from '../world/certificate.ts'
import * as azure from '../world/cms.ts'

/** What a reader makes of bytes: its reading, or null. It may throw nothing but Refusal. */
function reading<Read>(read: (bytes: Buffer) => Read, bytes: Uint8Array): Read | null {
  try {
    return read(Buffer.from(bytes))
  } catch (error) {
    const reasons = ['document_malformed', 'algorithm_refused']
    assert.ok(error instanceof Refusal && reasons.includes(error.reason), String(error))
    return null
  }
}

/** Writes an element again, from its tag and what is inside. */
function rewritten({ tag, content, children }: Element): Buffer {
  return children.length === 0 ? der(tag, content) : der(tag, ...children.map(rewritten))
}

const tree = fc.letrec<{ element: Buffer }>((tie) => ({
  element: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.uint8Array({ maxLength: 300 }).map((bytes) => der(0x04, Buffer.from(bytes))),
    fc
      .tuple(fc.constantFrom(0x30, 0x31, 0xa0, 0xa3), fc.array(tie('element'), { maxLength: 4 }))
      .map(([tag, members]) => der(tag, ...members)),
  ),
})).element

const READERS: readonly ((bytes: Buffer) => unknown)[] = [readDer, readCertificate, readMessage]
const stage = azure.setAzureDocumentStage()
const { leaf } = stage
const MESSAGE = azure.message({ signer: leaf })

suite('fuzz: DER', () => {
  test('whatever is read is written back byte by byte', () => {
    fc.assert(
      fc.property(tree, (bytes) => {
        const element = reading(readDer, bytes)
        assert.ok(element !== null)
        assert.ok(rewritten(element).equals(bytes))
      }),
    )
  })

  test('random bytes: what is read is the only encoding of itself', () => {
    const piece = fc.constantFrom(0x00, 0x01, 0x02, 0x04, 0x05, 0x24, 0x30, 0x80, 0x81, 0x82, 0xa0)
    const bytes = fc.array(fc.oneof(piece, fc.integer({ min: 0, max: 255 })), { maxLength: 24 })
    fc.assert(
      fc.property(bytes, (numbers) => {
        const element = reading(readDer, Buffer.from(numbers))
        if (element !== null) assert.ok(rewritten(element).equals(Buffer.from(numbers)))
      }),
      { numRuns: 3000 },
    )
  })

  test('every beginning of a document is refused', () => {
    for (let length = 0; length < MESSAGE.length; length += 1) {
      assert.equal(reading(readDer, MESSAGE.subarray(0, length)), null)
    }
  })

  test('documents with bytes changed, put in or taken out throw nothing but Refusal', () => {
    const edit = fc.record({
      at: fc.nat(MESSAGE.length - 1),
      removed: fc.nat(3),
      inserted: fc.uint8Array({ maxLength: 4 }),
    })
    fc.assert(
      fc.property(edit, fc.constantFrom(...READERS), ({ at, removed, inserted }, read) => {
        const parts = [MESSAGE.subarray(0, at), inserted, MESSAGE.subarray(at + removed)]
        reading(read, Buffer.concat(parts))
      }),
      { numRuns: 2000 },
    )
  })

  test('a document with one byte changed is refused, or says what it said', () => {
    const { verify } = stage
    const good = verify(MESSAGE.toString('base64'))
    const place = fc.nat(MESSAGE.length - 1)
    fc.assert(
      fc.property(place, fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const bytes = Buffer.from(MESSAGE)
        bytes[at] = byte
        try {
          assert.deepEqual(verify(bytes.toString('base64')), good)
        } catch (error) {
          assert.ok(error instanceof Refusal, String(error))
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('certificates with bytes changed throw nothing but Refusal', () => {
    const place = fc.nat(leaf.der.length - 1)
    fc.assert(
      fc.property(place, fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const bytes = Buffer.from(leaf.der)
        bytes[at] = byte
        reading(readCertificate, bytes)
      }),
      { numRuns: 2000 },
    )
  })

  test('16 KiB of structures inside each other are refused, and soon', () => {
    for (const pair of [
      [0x30, 0x80],
      [0x30, 0x00],
      [0x30, 0x83],
    ]) {
      const bytes = Buffer.from(Array.from({ length: 8192 }, () => pair).flat())
      assert.equal(reading(readDer, bytes), null)
    }
    let nested: Buffer = Buffer.alloc(0)
    for (let depth = 0; depth < 4000; depth += 1) nested = der(0x30, nested)
    assert.equal(reading(readDer, nested), null)
  })
})
