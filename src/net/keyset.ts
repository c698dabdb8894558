/**
 * Hygiene of a JWK Set (RFC 7517 §5): which of its keys may verify signatures here. A key that fails is
 * left out and reported; a document that is not a key set at all is an error. No I/O. No clock.
 */

import { createPublicKey, type KeyObject } from 'node:crypto'
import { printable } from '../refusal.ts'
import { PUBLIC_MEMBERS } from '../thumbprint.ts'
import { isObject, type JsonObject, parseJson } from './json.ts'
import { type Algorithm, algorithmsOf } from './signature.ts'

/** A public key of one key source, and the algorithms it may be used with. */
export type VerificationKey = { readonly key: KeyObject; readonly algorithms: readonly Algorithm[] }

/** What a document held: usable keys by `kid`, and a sentence for each that was left out. */
export type KeySet = {
  readonly keys: ReadonlyMap<string, VerificationKey>
  readonly rejected: readonly string[]
}

/** A document that cannot be used at all. The previous keys stay in use. */
export class KeySetError extends Error {
  override readonly name = 'KeySetError'
}

const MAX_KEYS = 100
const MAX_DEPTH = 8

const MALFORMED = 'it is malformed'

/** Private or symmetric key material (RFC 7518 §6.2.2, §6.3.2, §6.4). */
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** Shorter is breakable; longer, or a large exponent, is a way to make us compute for a long time. */
const RSA_BITS = { least: 2048, most: 8192 }
const RSA_EXPONENT = { least: 65_537n, most: 0xffff_ffffn }

/**
 * Reads and imports a JWK Set.
 * @param text the document; names must not repeat
 * @param allowed the trust entry's algorithms
 * @throws KeySetError
 */
export function readKeySet(text: string, allowed: readonly Algorithm[]): KeySet {
  const document = parseDocument(text, 'a JWK Set')
  const list = document['keys']
  if (!Array.isArray(list)) throw new KeySetError('the document has no array "keys"')
  if (list.length > MAX_KEYS) throw new KeySetError(`more than ${MAX_KEYS} keys`)
  const keys = new Map<string, VerificationKey>()
  const rejected: string[] = []
  const repeated = repeatedKids(list)
  for (const [index, jwk] of list.entries()) {
    const name = isObject(jwk) ? `key ${index} (kid ${printable(jwk['kid'])})` : `key ${index}`
    // Which of two keys under one name is meant cannot be known, so neither is used.
    const imported =
      isObject(jwk) && repeated.has(jwk['kid']) ? 'its kid is repeated' : importKey(jwk, allowed)
    if (typeof imported === 'string') rejected.push(`${name} is not used: ${imported}`)
    else keys.set(imported.kid, imported)
  }
  return { keys, rejected }
}

/**
 * Parses a document that must be one strict JSON object.
 * @throws KeySetError
 */
export function parseDocument(text: string, expected: string): JsonObject {
  try {
    const value = parseJson(text, MAX_DEPTH)
    if (isObject(value)) return value
  } catch (cause) {
    throw new KeySetError(`the document is not ${expected} in strict JSON`, { cause })
  }
  throw new KeySetError(`the document is not ${expected}: it is no JSON object`)
}

function repeatedKids(list: readonly unknown[]): ReadonlySet<unknown> {
  const kids = list.filter(isObject).map((jwk) => jwk['kid'])
  return new Set(kids.filter((kid, index) => kid !== undefined && kids.indexOf(kid) !== index))
}

/** The imported key, or why it is not used. */
function importKey(
  jwk: unknown,
  allowed: readonly Algorithm[],
): (VerificationKey & { kid: string }) | string {
  if (!isObject(jwk)) return 'it is no JSON object'
  const { kid, use, key_ops: operations, alg } = jwk
  if (typeof kid !== 'string' || kid === '' || kid.length > 128) return 'it has no usable kid'
  if (use !== undefined && use !== 'sig') return 'its use is not sig'
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return 'its key_ops lack verify'
  }
  const members = publicMembers(jwk)
  if (typeof members === 'string') return members
  const key = importPublic(members)
  if (typeof key === 'string') return key
  const algorithms = algorithmsOf(key).filter(
    (algorithm) => allowed.includes(algorithm) && (alg === undefined || alg === algorithm),
  )
  return algorithms.length > 0 ? { kid, key, algorithms } : 'no allowed algorithm fits it'
}

/**
 * The members that make a JWK a public key, and nothing else of it.
 * @returns why there are none, where it is a secret key or none that we know
 */
export function publicMembers(jwk: JsonObject): Readonly<Record<string, string>> | string {
  if (SECRET_MEMBERS.some((member) => member in jwk)) return 'it holds secret key material'
  const { kty } = jwk
  const names = typeof kty === 'string' ? PUBLIC_MEMBERS.get(kty) : undefined
  if (names === undefined) return 'its type is not RSA, EC or OKP'
  const members: Record<string, string> = {}
  for (const name of names) {
    const value = jwk[name]
    if (typeof value !== 'string') return MALFORMED
    members[name] = value
  }
  return members
}

/**
 * Imports a public key, or says why it is not used.
 *
 * `createPublicKey` and not jose's `importJWK`: it is synchronous, checks that a point is on its curve, and makes a key
 * that is not tied to one algorithm before ours are known.
 */
export function importPublic(members: Readonly<Record<string, string>>): KeyObject | string {
  try {
    const key = createPublicKey({ key: members, format: 'jwk' })
    return isSaneRsa(key) ? key : 'its RSA modulus or exponent is out of range'
  } catch {
    // Any failure means the same: these members are no key.
    return MALFORMED
  }
}

function isSaneRsa(key: KeyObject): boolean {
  if (key.asymmetricKeyType !== 'rsa') return true
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  const isLengthSane = modulusLength >= RSA_BITS.least && modulusLength <= RSA_BITS.most
  const isInRange = publicExponent >= RSA_EXPONENT.least && publicExponent <= RSA_EXPONENT.most
  return isLengthSane && isInRange && publicExponent % 2n === 1n
}
