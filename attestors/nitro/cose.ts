/**
 * COSE_Sign1 (RFC 9052 §4.2) as the Nitro hypervisor writes it: ES384 alone in the protected header, nothing in the
 * unprotected one. CBOR (RFC 8949) is read strictly: shortest lengths, no name twice, nothing after the end, and bounded
 * before anything is built of it. Only the payload may be a map without a length, as newer hypervisors write it. No I/O. No clock.
 */

import { verify } from 'node:crypto'
import { decode, encode, type Token, Tokenizer, Type } from 'cborg'
import { Refusal } from '../../src/refusal.ts'
import type { Certificate } from '../certificate.ts'

/** A signed message, its signature not verified yet. */
export type SignedPayload = {
  readonly payload: Buffer
  readonly signature: Buffer
}

/** The bytes of `{1: -35}`: the algorithm is ES384 (RFC 9053 §2.1). */
const ES384 = Buffer.of(0xa1, 0x01, 0x38, 0x22)
const SIGNATURE_BYTES = 96
const TAG_COSE_SIGN1 = 0xd2

const MAX_DEPTH = 4
const MAX_ITEMS = 512

const STRICT = {
  strict: true,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  useMaps: true,
  rejectDuplicateMapKeys: true,
} as const

/**
 * Reads a message, tagged or not. Nothing of it is verified.
 * @throws Refusal `document_malformed`, `algorithm_refused`
 */
export function readSigned(bytes: Buffer): SignedPayload {
  const message = readCbor(bytes[0] === TAG_COSE_SIGN1 ? bytes.subarray(1) : bytes, false)
  if (!Array.isArray(message) || message.length !== 4) throw malformed('not an array of four')
  const [header, unprotected, payload, signature] = message
  if (!(header instanceof Uint8Array) || !ES384.equals(header)) {
    throw new Refusal('algorithm_refused', { expected: 'ES384, and nothing else in the header' })
  }
  if (!(unprotected instanceof Map) || unprotected.size > 0) {
    throw malformed('something in the unprotected header')
  }
  if (!(payload instanceof Uint8Array)) throw malformed('the payload is no byte string')
  if (!(signature instanceof Uint8Array) || signature.length !== SIGNATURE_BYTES) {
    throw malformed(`the signature is not ${SIGNATURE_BYTES} bytes`)
  }
  return { payload: Buffer.from(payload), signature: Buffer.from(signature) }
}

/**
 * Verifies the signature over the payload (RFC 9052 §4.4, no external data).
 * @throws Refusal `algorithm_refused`, `signature_invalid`
 */
export function verifySigned({ payload, signature }: SignedPayload, signer: Certificate): void {
  const { key, fingerprint } = signer
  const found = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? 'none'
  if (found !== 'secp384r1') throw new Refusal('algorithm_refused', { expected: 'P-384', found })
  const input = encode(['Signature1', ES384, Buffer.alloc(0), payload])
  if (verify('sha384', input, { key, dsaEncoding: 'ieee-p1363' }, signature)) return
  throw new Refusal('signature_invalid', { fingerprint })
}

/**
 * Reads one CBOR value, which all the bytes are. Maps are `Map`s, whatever their keys.
 * @param allowIndefinite whether arrays and maps may go without a length
 * @throws Refusal `document_malformed`
 */
export function readCbor(bytes: Buffer, allowIndefinite: boolean): unknown {
  const options = { ...STRICT, allowIndefinite }
  try {
    bound(new Tokenizer(bytes, options))
    return decode(bytes, options)
  } catch (cause) {
    if (cause instanceof Refusal || !(cause instanceof Error)) throw cause
    throw malformed(cause.message.slice(0, 100), { cause })
  }
}

/** The decoder calls itself for each level, so the levels are counted before it runs. */
function bound(tokens: Tokenizer): void {
  /** How many items each open array or map still waits for, the outermost first; Infinity until it is closed. */
  const open: number[] = []
  for (let items = 0; !tokens.done(); items += 1) {
    if (items === MAX_ITEMS) throw malformed('too many items')
    const token = tokens.next()
    if (Type.equals(token.type, Type.break)) {
      if (open.pop() !== Number.POSITIVE_INFINITY) throw malformed('an end of nothing')
    } else {
      open.push((open.pop() ?? 1) - 1)
      const inside = itemsOf(token)
      if (inside > 0) open.push(inside)
      if (open.length > MAX_DEPTH) throw malformed('nested too deeply')
    }
    while (open.at(-1) === 0) open.pop()
  }
}

/** How many items follow inside of this one. */
function itemsOf({ type, value }: Token): number {
  if (Type.equals(type, Type.tag)) throw malformed('a tag inside')
  if (Type.equals(type, Type.array)) return Number(value)
  return Type.equals(type, Type.map) ? 2 * Number(value) : 0
}

function malformed(problem: string, options?: ErrorOptions): Refusal {
  return new Refusal('document_malformed', { encoding: 'CBOR', problem }, options)
}
