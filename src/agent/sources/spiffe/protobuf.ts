/**
 * The part of Protocol Buffers' wire format that the SPIFFE Workload API needs: length-delimited fields in, and out.
 * What else there is is skipped, as the format demands of fields that are not known; what is not well-formed is refused.
 */

/** One length-delimited field: a string, bytes, or a message of its own. */
export type Field = { readonly number: number; readonly value: Buffer }

/** Bytes that are no message. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError'
}

/** How a field is written (Protocol Buffers encoding, "Message Structure"). Groups (3, 4) are refused. */
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

/** Lengths and tags fit 32 bits: five digits of seven. A number, which is skipped, may have ten. */
const MAX_LENGTH_DIGITS = 5
const MAX_VARINT_DIGITS = 10
const MAX_FIELDS = 1000

/**
 * The length-delimited fields of a message, in their order; others are skipped.
 * @throws ProtobufError
 */
export function readFields(message: Buffer): readonly Field[] {
  const fields: Field[] = []
  let at = 0
  let count = 0

  function digits(most: number): number {
    let value = 0
    for (let index = 0; index < most; index += 1) {
      const digit = message[at]
      if (digit === undefined) throw new ProtobufError('the message is cut off')
      at += 1
      value += (digit & 0x7f) * 2 ** (7 * index)
      if (digit < 0x80) return value
    }
    throw new ProtobufError('a number has too many digits')
  }

  function skip(bytes: number): Buffer {
    if (bytes > message.length - at) throw new ProtobufError('the message is cut off')
    at += bytes
    return message.subarray(at - bytes, at)
  }

  while (at < message.length) {
    count += 1
    if (count > MAX_FIELDS) throw new ProtobufError('the message has too many fields')
    const tag = digits(MAX_LENGTH_DIGITS)
    const number = Math.floor(tag / 8)
    if (number === 0 || number >= 2 ** 29) throw new ProtobufError('a field has no valid number')
    switch (tag % 8) {
      case WIRE.bytes:
        fields.push({ number, value: skip(digits(MAX_LENGTH_DIGITS)) })
        break
      case WIRE.varint:
        digits(MAX_VARINT_DIGITS)
        break
      case WIRE.fixed64:
        skip(8)
        break
      case WIRE.fixed32:
        skip(4)
        break
      default:
        throw new ProtobufError('a field is of no known type')
    }
  }
  return fields
}

/** Writes one length-delimited field; a string as UTF-8. */
export function field(number: number, value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  return Buffer.concat([varint(number * 8 + WIRE.bytes), varint(bytes.length), bytes])
}

/** The values of a repeated field. */
export function allOf(fields: readonly Field[], number: number): readonly Buffer[] {
  return fields.filter((candidate) => candidate.number === number).map(({ value }) => value)
}

/** The value of a field that is not repeated: the last one counts. Empty where there is none. */
export function soleOf(fields: readonly Field[], number: number): Buffer {
  return allOf(fields, number).at(-1) ?? Buffer.alloc(0)
}

/**
 * A string.
 * @throws ProtobufError unless it is UTF-8
 */
export function textOf(value: Buffer): string {
  const text = value.toString('utf8')
  if (!Buffer.from(text).equals(value)) throw new ProtobufError('a string is not UTF-8')
  return text
}

function varint(value: number): Buffer {
  const digits: number[] = []
  let rest = value
  while (rest >= 0x80) {
    digits.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return Buffer.from([...digits, rest])
}
