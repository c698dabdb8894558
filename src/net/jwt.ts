/**
 * Strict pre-parser for compact JWS (RFC 7515 §3.1) and the signature check that follows it. One token
 * has one reading: no alias of its encoding, no repeated name, no key or extension brought along.
 * No I/O. No clock.
 */

import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'
import { printable, Refusal } from '../refusal.ts'
import { isObject, JsonError, type JsonObject, parseJson } from './json.ts'

/** A well-formed compact JWS over a JSON object. Not one byte of it may be believed before `verifySignature` returns. */
export type UnverifiedJws = {
  readonly header: JsonObject
  readonly claims: JsonObject
  /** The bytes that were signed, as text: header, a dot, payload (RFC 7515 §5.2). */
  readonly signingInput: string
  readonly signature: Buffer
}

/** A well-formed JWT of somebody whose keys we know. */
export type UnverifiedJwt = UnverifiedJws & { readonly header: UnverifiedHeader }

/** The JOSE header. Members beyond these three are kept for a kind's own profile. */
export type UnverifiedHeader = JsonObject & {
  readonly alg: string
  readonly kid: string
  /** As sent; what was allowed is compared without case and `application/`. */
  readonly typ?: string
}

/**
 * `maxBytes`: longest token taken, default 16 KiB. `types`: values of `typ` taken besides `JWT` and `JOSE`. `unread`:
 * members that a platform is known to send and that nobody reads; a URL of keys is the only one there is.
 */
export type JwtOptions = {
  readonly maxBytes?: number
  readonly types?: readonly string[]
  readonly unread?: readonly 'jku'[]
}

/** Group and role claims make tokens of Entra and Google long. One limit: the kind is not known before parsing. */
const MAX_BYTES = 16 * 1024
const HEADER_DEPTH = 4
const HEADER_MEMBERS = 12
const PAYLOAD_DEPTH = 16

/**
 * Members that choose the key or change what the signature covers. Keys come from configuration alone,
 * so a token that brings one is an attack or a mistake (RFC 8725 §3.10; `crit` RFC 7515 §4.1.11, `b64` RFC 7797).
 */
const REFUSED_MEMBERS: ReadonlySet<string> = new Set([
  'jwk',
  'jku',
  'x5u',
  'x5c',
  'crit',
  'zip',
  'b64',
])

/** What says no more than that this is a JWS (RFC 7515 §4.1.9, RFC 7519 §5.1); JWT-SVIDs have either. */
const GENERIC_TYPES = ['JWT', 'JOSE']

/** At most 128 printable ASCII characters: `kid` is attacker's data, a key of a map and nothing else. */
const HEADER_STRING = /^[\x20-\x7e]{1,128}$/

/**
 * Takes a compact JWS apart.
 *
 * `typ` must be absent, `JWT`, `JOSE` or listed: an access token, DPoP proof, logout or security event token of
 * the same issuer is never an assertion (RFC 8725 §3.11, §3.12).
 * @throws Refusal `evidence_too_large`, `token_malformed`, `header_refused`, `type_refused`
 */
export function parseJwt(text: string, options: JwtOptions = {}): UnverifiedJwt {
  const { maxBytes = MAX_BYTES, types = [], unread = [] } = options
  const jws = parseJws(text, maxBytes, unread)
  const { header } = jws
  checkNames(header)
  checkType(header['typ'], types)
  return { ...jws, header }
}

/**
 * Takes a compact JWS apart, whoever's it is: one reading, bounded in size and depth.
 * @param admitted members of the header that are otherwise refused
 * @throws Refusal `evidence_too_large`, `token_malformed`, `header_refused`
 */
export function parseJws(
  text: string,
  maxBytes: number,
  admitted: readonly string[] = [],
): UnverifiedJws {
  if (text.length > maxBytes) {
    throw new Refusal('evidence_too_large', { bytes: text.length, maxBytes })
  }
  const segments = text.split('.', 6)
  const [header64, payload64, signature64] = segments
  if (segments.length !== 3 || !header64 || !payload64 || !signature64) {
    throw new Refusal('token_malformed', { segments: segments.length, expected: 3 })
  }
  const header = parsePart('header', header64, HEADER_DEPTH)
  checkMembers(header, admitted)
  return {
    header,
    claims: parsePart('payload', payload64, PAYLOAD_DEPTH),
    signingInput: text.slice(0, header64.length + 1 + payload64.length),
    signature: decode('signature', signature64),
  }
}

/** SHA-256 of the signing input, base64url: names the evidence in the audit and the replay store. */
export function digestOf(jwt: UnverifiedJwt): string {
  return hash('sha256', jwt.signingInput, 'base64url')
}

/** The token as it was received: parsing takes canonical encodings only, so nothing was lost. */
export function compact(jwt: UnverifiedJwt): string {
  return `${jwt.signingInput}.${jwt.signature.toString('base64url')}`
}

type Part = 'header' | 'payload' | 'signature'

/**
 * Encoding again is the one test that refuses every alias: padding, white space, `+` and `/`, and stray
 * bits in the last character. Node's decoder takes them all.
 */
function decode(part: Part, text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) {
    throw new Refusal('token_malformed', { part, problem: 'not canonical base64url' })
  }
  return bytes
}

function parsePart(part: Part, text: string, maxDepth: number): JsonObject {
  const bytes = decode(part, text)
  // `toString` would put U+FFFD for what is not UTF-8, which makes different bytes equal.
  if (!isUtf8(bytes)) throw new Refusal('token_malformed', { part, problem: 'not UTF-8' })
  try {
    const value = parseJson(bytes.toString('utf8'), maxDepth)
    if (isObject(value)) return value
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause
    const detail = { part, problem: cause.message, offset: cause.offset }
    throw new Refusal('token_malformed', detail, { cause })
  }
  throw new Refusal('token_malformed', { part, problem: 'not a JSON object' })
}

function checkMembers(header: JsonObject, admitted: readonly string[]): void {
  const names = Object.keys(header)
  if (names.length > HEADER_MEMBERS) {
    throw new Refusal('header_refused', { problem: 'too many members', maximum: HEADER_MEMBERS })
  }
  for (const member of names) {
    if (REFUSED_MEMBERS.has(member) && !admitted.includes(member)) {
      throw new Refusal('header_refused', { member })
    }
  }
}

function checkNames(header: JsonObject): asserts header is UnverifiedHeader {
  for (const member of ['alg', 'kid']) {
    const value = header[member]
    if (typeof value !== 'string' || !HEADER_STRING.test(value)) {
      const expected = 'a string of 1 to 128 printable characters'
      throw new Refusal('header_refused', { member, expected, found: printable(value) })
    }
  }
}

function checkType(typ: unknown, types: readonly string[]): void {
  if (typ === undefined || typ === 'JWT') return
  const expected = [...GENERIC_TYPES, ...types]
  if (typeof typ === 'string' && expected.map(mediaType).includes(mediaType(typ))) return
  throw new Refusal('type_refused', { expected, found: printable(typ) })
}

/** RFC 7515 §4.1.9: media types compare without case, and `application/` may be left out. */
export function mediaType(typ: string): string {
  return typ.toLowerCase().replace(/^application\//, '')
}

/**
 * The sole audience of a token, or undefined when it has none, several, or something else than a string.
 * A token for several audiences could be replayed here by any of the others.
 */
export function soleAudience(claims: JsonObject): string | undefined {
  const aud = claims['aud']
  const sole = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud
  return typeof sole === 'string' ? sole : undefined
}
