/**
 * Strict DER (X.690 §8, §10) for signed documents of machines: one encoding for each value, so that two readers of
 * the same bytes cannot see different documents. What BER also allows (indefinite and padded lengths, strings in
 * pieces) is refused. Nothing is copied: every element is a view of the bytes that were signed. No I/O.
 */

import { Refusal } from '../src/refusal.ts'

/** Tags that the documents and certificates here are made of (X.690 §8.1.2). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const

/** One element: its tag byte, its content, and the whole encoding with tag and length. */
export type Element = {
  readonly tag: number
  readonly content: Buffer
  readonly whole: Buffer
  /** What a constructed element holds; empty for a primitive one. */
  readonly children: readonly Element[]
}

/** Takes the members of a constructed element in their order. Every method refuses what is not there. */
export type Members = {
  take(tag: number): Element
  /** The next member if it has this tag. */
  maybe(tag: number): Element | undefined
  /** Refuses if there is another member. */
  end(): void
}

const MAX_DEPTH = 24
const MAX_ELEMENTS = 4096
const MAX_LENGTH_BYTES = 3

const CONSTRUCTED = 0x20
/** The five low bits that say "the tag number follows", which nothing here needs. */
const LONG_TAG = 0x1f
const CONTEXT = 0xa0
const PRIMITIVE_CONTEXT = 0x80
const UNIVERSAL = 0x00
const CLASS = 0xc0

/** The tag byte of `[number]` around other elements (X.690 §8.14). */
export function explicit(number: number): number {
  return CONTEXT | number
}

/** The tag byte of `[number]` in place of a primitive type's own. */
export function implicit(number: number): number {
  return PRIMITIVE_CONTEXT | number
}

/**
 * Reads the one element that all the bytes are, down to its primitive elements.
 * @throws Refusal `document_malformed`
 */
export function readDer(bytes: Buffer): Element {
  const budget = { elements: MAX_ELEMENTS }
  const element = readElement(bytes, 0, budget)
  if (element.whole.length !== bytes.length) throw malformed('bytes after the end')
  return element
}

/**
 * The members of a constructed element.
 * @throws Refusal `document_malformed` for another tag
 */
export function membersOf(element: Element, tag: number = TAG.sequence): Members {
  if (element.tag !== tag) throw unexpected(tag, element)
  const { children } = element
  let at = 0
  return {
    take(wanted) {
      const next = children[at]
      if (next?.tag !== wanted) throw unexpected(wanted, next)
      at += 1
      return next
    },
    maybe(wanted) {
      const next = children[at]
      if (next?.tag !== wanted) return undefined
      at += 1
      return next
    },
    end() {
      const next = children[at]
      if (next !== undefined) throw malformed(`a member that was not expected, tag ${next.tag}`)
    },
  }
}

/** The only member of a constructed element. */
export function onlyMember(element: Element, tag: number): Element {
  const [only, ...others] = element.children
  if (only?.tag !== tag || others.length > 0) throw unexpected(tag, only)
  return only
}

/** A small whole number that is not negative. */
export function smallInteger({ content }: Element): number {
  const [first = 0] = content
  if (content.length > 4 || first >= 0x80) throw malformed('a number is out of range')
  return content.readUIntBE(0, content.length)
}

export function booleanOf({ content }: Element): boolean {
  return content[0] === 0xff
}

/** An object identifier as hexadecimal digits of its encoding, which is unique. */
export function oidOf({ content }: Element): string {
  return content.toString('hex')
}

function readElement(bytes: Buffer, depth: number, budget: { elements: number }): Element {
  budget.elements -= 1
  if (budget.elements < 0) throw malformed('too many elements')
  if (depth > MAX_DEPTH) throw malformed('nested too deeply')
  const [tag, first] = bytes
  if (tag === undefined || first === undefined) throw malformed('cut off')
  if ((tag & LONG_TAG) === LONG_TAG) throw malformed('a tag number of several bytes')
  const { length, at } = readLength(bytes, first)
  if (at + length > bytes.length) throw malformed('cut off')
  const content = bytes.subarray(at, at + length)
  const whole = bytes.subarray(0, at + length)
  checkForm(tag, content)
  return { tag, content, whole, children: readChildren(tag, content, depth, budget) }
}

function readChildren(
  tag: number,
  content: Buffer,
  depth: number,
  budget: { elements: number },
): readonly Element[] {
  const children: Element[] = []
  if ((tag & CONSTRUCTED) === 0) return children
  // Every element has at least two bytes, so this comes to its end.
  for (let at = 0; at < content.length; ) {
    const child = readElement(content.subarray(at), depth + 1, budget)
    children.push(child)
    at += child.whole.length
  }
  return children
}

function readLength(bytes: Buffer, first: number): { length: number; at: number } {
  if (first < 0x80) return { length: first, at: 2 }
  const count = first & 0x7f
  if (count === 0) throw malformed('an indefinite length')
  if (count > MAX_LENGTH_BYTES) throw malformed('a length of more than three bytes')
  if (bytes.length < 2 + count) throw malformed('cut off')
  const length = bytes.readUIntBE(2, count)
  if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw malformed('a length that is padded')
  return { length, at: 2 + count }
}

/** What DER says of the universal types beyond their length (X.690 §8.2, §8.3, §8.6, §8.8, §8.19, §10.2). */
function checkForm(tag: number, content: Buffer): void {
  if ((tag & CLASS) !== UNIVERSAL) return
  const isStructure = tag === TAG.sequence || tag === TAG.set
  if (isStructure !== ((tag & CONSTRUCTED) !== 0)) throw malformed('a value in pieces')
  const [first = 0, second = 0] = content
  const { length } = content
  switch (tag) {
    case 0x00:
      throw malformed('an end of contents')
    case 0x10:
    case 0x11:
      throw malformed('a structure that is marked primitive')
    case TAG.boolean:
      if (length !== 1 || (first !== 0 && first !== 0xff)) throw malformed('a boolean')
      return
    case TAG.integer:
      if (length === 0) throw malformed('an empty number')
      // Nine equal bits at the start say the same as one.
      if (length > 1 && (first === 0 || first === 0xff) && first >> 7 === second >> 7) {
        throw malformed('a number that is padded')
      }
      return
    case TAG.bitString:
      if (length === 0 || first > 7 || (length === 1 && first > 0)) throw malformed('a bit string')
      return
    case TAG.null:
      if (length !== 0) throw malformed('a null with content')
      return
    case TAG.oid:
      checkOid(content)
  }
}

/** Each arc is a number in base 128 whose last byte alone is below 0x80, and none begins with a zero digit. */
function checkOid(content: Buffer): void {
  let starts = true
  for (const byte of content) {
    if (starts && byte === 0x80) throw malformed('an object identifier that is padded')
    starts = byte < 0x80
  }
  if (content.length === 0 || !starts) throw malformed('an object identifier')
}

function unexpected(tag: number, found: Element | undefined): Refusal {
  return malformed(`tag ${tag} was expected, tag ${found?.tag ?? 'nothing'} is there`)
}

function malformed(problem: string): Refusal {
  return new Refusal('document_malformed', { encoding: 'DER', problem })
}
