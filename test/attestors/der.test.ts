/** Strict DER: one encoding for each value, and nothing that only BER allows. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  booleanOf,
  explicit,
  membersOf,
  oidOf,
  onlyMember,
  readDer,
  smallInteger,
  TAG,
} from '../../attestors/der.ts'
import { refused } from '../world/attest.ts'
import { der, integer, oid } from '../world/certificate.ts'

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')

suite('strict DER', () => {
  test('a structure is read in its order, down to the last element', () => {
    const members = membersOf(
      readDer(der(0x30, integer(5), der(0x01, Buffer.of(0xff)), der(0xa0, oid('550403')))),
    )
    assert.equal(smallInteger(members.take(TAG.integer)), 5)
    assert.equal(members.maybe(TAG.octetString), undefined)
    assert.equal(booleanOf(members.take(TAG.boolean)), true)
    assert.equal(oidOf(onlyMember(members.take(explicit(0)), TAG.oid)), '550403')
    members.end()
  })

  test('what is read is a view of what was signed', () => {
    const whole = der(0x30, der(0x04, Buffer.from('content')))
    const [content] = readDer(whole).children
    assert.equal(content?.content.buffer, whole.buffer)
  })

  const malformed: readonly (readonly [what: string, hex: string])[] = [
    ['nothing', ''],
    ['a tag alone', '30'],
    ['content that is cut off', '04 02 00'],
    ['a length that is cut off', '04 82 01'],
    ['bytes after the end', '05 00 00'],
    ['an indefinite length', '30 80 00 00'],
    ['an indefinite length inside', '30 04 24 80 00 00'],
    ['a length of two bytes where one does', '04 81 01 00'],
    ['a length of three bytes where two do', `04 82 00 80 ${'00'.repeat(128)}`],
    ['a length of four bytes', `04 84 00 00 00 01 00`],
    ['a length of 127 bytes', '04 ff'],
    ['a tag number of several bytes', '1f 81 00 00'],
    ['an end of contents', '30 02 00 00'],
    ['an octet string in pieces', '24 04 04 02 00 00'],
    ['a sequence that is primitive', '10 00'],
    ['a set that is primitive', '11 00'],
    ['a boolean that is neither 00 nor ff', '01 01 01'],
    ['a boolean of two bytes', '01 02 ff ff'],
    ['an empty number', '02 00'],
    ['a number padded with zeros', '02 02 00 7f'],
    ['a number padded with ones', '02 02 ff 80'],
    ['a null with content', '05 01 00'],
    ['a bit string without its count', '03 00'],
    ['a bit string that leaves out eight bits', '03 02 08 00'],
    ['an object identifier that is padded', '06 02 80 01'],
    ['an object identifier that is cut off', '06 01 81'],
    ['a member longer than its structure', '30 03 04 05 00'],
  ]
  for (const [what, hex] of malformed) {
    test(`${what} is refused as document_malformed`, async () => {
      await refused(() => readDer(bytes(hex)), 'document_malformed')
    })
  }

  test('depth and number of elements are bounded', async () => {
    let nested: Buffer = der(0x30)
    for (let depth = 0; depth < 30; depth += 1) nested = der(0x30, nested)
    await refused(() => readDer(nested), 'document_malformed')
    const many = Array.from({ length: 5000 }, () => der(0x05))
    await refused(() => readDer(der(0x30, ...many)), 'document_malformed')
  })

  test('a member that is missing, of another type, or too many is refused', async () => {
    const element = readDer(der(0x30, integer(1), integer(2)))
    await refused(() => membersOf(element).take(TAG.oid), 'document_malformed')
    await refused(() => membersOf(element, TAG.set), 'document_malformed')
    await refused(() => onlyMember(element, TAG.integer), 'document_malformed')
    const members = membersOf(element)
    members.take(TAG.integer)
    await refused(() => members.end(), 'document_malformed')
  })

  test('numbers below zero and beyond 32 bits are refused', async () => {
    for (const hex of ['02 01 ff', '02 05 01 00 00 00 00']) {
      await refused(() => smallInteger(readDer(bytes(hex))), 'document_malformed')
    }
  })
})
