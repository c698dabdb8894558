/**
 * DPoP proofs (RFC 9449 §4.3): whether a request was made by the holder of a key. The same checks for the token endpoint
 * and for resource servers, the cheap ones first. Pure: no I/O, no clock; a proof that was used before is `replay.ts`'s matter.
 */

import { hash, type KeyObject } from 'node:crypto'
import { isObject, type JsonObject } from './net/json.ts'
import { mediaType, parseJws, type UnverifiedJws } from './net/jwt.ts'
import { importPublic, publicMembers } from './net/keyset.ts'
import { type Algorithm, algorithmsOf, verifySignature } from './net/signature.ts'
import { createCache } from './policy/cache.ts'
import { printable, type Reason, Refusal } from './refusal.ts'
import { jwkThumbprint } from './thumbprint.ts'
import { canonicalUri } from './uri.ts'

/** The signature algorithms of proofs that are taken: all asymmetric, for each kind of key that clients make. Ed25519 is what RFC 9864 calls EdDSA. */
export const PROOF_ALGORITHMS = [
  'ES256',
  'ES384',
  'EdDSA',
  'Ed25519',
  'PS256',
  'RS256',
] as const satisfies readonly Algorithm[]

/** A proof older than this is over, seconds. Its `jti` is remembered for as long. */
export const PROOF_SECONDS = 60

/** How far a client's clock may be ahead, as for `iat` of evidence. */
const AHEAD_SECONDS = 30

const MAX_BYTES = 8 * 1024
const MAX_JTI = 256
const MAX_NONCE = 256

/** Keys of agents that ask again; a kilobyte or two each. */
const KEYS = 4096

/** What a proof has to be for. */
export type Occasion = {
  readonly method: string
  /** As configured or published, never from the Host header; a query is left out of the comparison. */
  readonly url: string
  /** The access token beside it; null at the token endpoint. */
  readonly token: string | null
  /**
   * Judges the nonce, last of all that costs little: a client with a wrong proof does not come back for a nonce first.
   * @throws Refusal
   */
  readonly checkNonce: (nonce: string | undefined) => void
}

/** A proof that holds. */
export type Proof = {
  /** Thumbprint of the key that made it (RFC 7638). */
  readonly jkt: string
  /** Names the proof among all of all keys: it is good once. */
  readonly key: string
  /** Epoch seconds from which on the proof would be refused anyway. */
  readonly until: number
}

/** Judges a `DPoP` header. @throws Refusal with the answer `proof` or `nonce` */
export type ProofReader = (header: string, occasion: Occasion, nowSeconds: number) => Proof

/** Makes a reader that remembers the keys of its last callers, so that a proof of theirs costs one signature check. */
export function proofReader(): ProofReader {
  const keys = createCache<KeyObject>(KEYS)
  return (header, occasion, nowSeconds) => {
    const jws = takeApart(header)
    const algorithm = algorithmOf(jws.header)
    const claims = claimsOf(jws.claims)
    checkOccasion(claims, occasion)
    const until = checkTime(claims.iat, nowSeconds)
    occasion.checkNonce(claims.nonce)
    const members = publicKeyOf(jws.header['jwk'])
    const jkt = jwkThumbprint(members)
    const key = keys.recall(jkt, () => imported(members))
    checkSignature(jws, key, algorithm)
    return { jkt, key: `${jkt} ${claims.jti}`, until }
  }
}

function takeApart(header: string): UnverifiedJws {
  // Node joins repeated headers with a comma, which no compact JWS has.
  if (header.includes(',')) throw new Refusal('proof_malformed', { problem: 'more than one proof' })
  const jws = under('proof_malformed', () => parseJws(header, MAX_BYTES, ['jwk']))
  const { typ } = jws.header
  // RFC 9449 §11.5: no other JWT that the key has signed is a proof.
  if (typeof typ === 'string' && mediaType(typ) === 'dpop+jwt') return jws
  throw new Refusal('proof_malformed', { expected: 'dpop+jwt', found: printable(typ) })
}

function algorithmOf({ alg }: JsonObject): Algorithm {
  const algorithm = PROOF_ALGORITHMS.find((each) => each === alg)
  if (algorithm !== undefined) return algorithm
  throw new Refusal('proof_key_refused', { expected: PROOF_ALGORITHMS, found: printable(alg) })
}

type Claims = {
  readonly htm: string
  readonly htu: string
  readonly jti: string
  readonly iat: number
  readonly ath: string | undefined
  readonly nonce: string | undefined
}

function claimsOf(claims: JsonObject): Claims {
  const { htm, htu, jti, iat, ath, nonce } = claims
  if (typeof htm !== 'string') throw unusable('htm')
  if (typeof htu !== 'string') throw unusable('htu')
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI) throw unusable('jti')
  if (typeof iat !== 'number') throw unusable('iat')
  if (ath !== undefined && typeof ath !== 'string') throw unusable('ath')
  if (nonce !== undefined && (typeof nonce !== 'string' || nonce.length > MAX_NONCE)) {
    throw unusable('nonce')
  }
  return { htm, htu, jti, iat, ath, nonce }
}

function unusable(claim: string): Refusal {
  return new Refusal('proof_malformed', { problem: 'missing, or not as it must be', claim })
}

function checkOccasion({ htm, htu, ath }: Claims, { method, url, token }: Occasion): void {
  if (htm !== method) mismatched('htm', method, htm)
  if (htu !== url && !sameTarget(htu, url)) mismatched('htu', url, htu)
  // Both are known to whoever sent them: there is no secret to compare in constant time.
  if (token !== null && ath !== hash('sha256', token, 'base64url')) {
    throw new Refusal('proof_mismatched', { claim: 'ath' })
  }
}

function mismatched(claim: string, expected: string, found: string): never {
  throw new Refusal('proof_mismatched', { claim, expected, found: printable(found) })
}

/** RFC 9449 §4.3: compared after normalisation (RFC 3986 §6.2.2, §6.2.3), without query and fragment. */
function sameTarget(one: string, other: string): boolean {
  const target = targetOf(one)
  return target !== undefined && target === targetOf(other)
}

function targetOf(url: string): string | undefined {
  return canonicalUri(url.replace(/[?#].*$/s, ''))?.replace(/%[0-9a-f]{2}/gi, (encoded) => {
    const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
    return /[A-Za-z0-9._~-]/.test(character) ? character : encoded.toUpperCase()
  })
}

function checkTime(iat: number, now: number): number {
  const until = Math.ceil(iat) + PROOF_SECONDS
  if (now >= until) throw new Refusal('proof_expired', { secondsAgo: now - until })
  if (iat > now + AHEAD_SECONDS) throw new Refusal('proof_premature', { iat, now })
  return until
}

function publicKeyOf(jwk: unknown): Readonly<Record<string, string>> {
  const members = isObject(jwk) ? publicMembers(jwk) : 'it is no JSON object'
  if (typeof members !== 'string') return members
  throw new Refusal('proof_key_refused', { problem: `jwk: ${members}` })
}

function imported(members: Readonly<Record<string, string>>): KeyObject {
  const key = importPublic(members)
  if (typeof key === 'string') throw new Refusal('proof_key_refused', { problem: `jwk: ${key}` })
  // A key that can be written in two ways would have two thumbprints.
  const written = key.export({ format: 'jwk' }) as Record<string, unknown>
  if (Object.keys(members).some((name) => written[name] !== members[name])) {
    throw new Refusal('proof_key_refused', { problem: 'jwk: it is not written canonically' })
  }
  return key
}

function checkSignature(jws: UnverifiedJws, key: KeyObject, algorithm: Algorithm): void {
  if (!algorithmsOf(key).includes(algorithm)) {
    throw new Refusal('proof_key_refused', { problem: 'the algorithm is of another key type' })
  }
  under('proof_signature_invalid', () => verifySignature(jws, key, [algorithm]))
}

/** Does work whose refusals are about evidence, as one about a proof. */
function under<Result>(reason: Reason, work: () => Result): Result {
  try {
    return work()
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    throw new Refusal(reason, { problem: cause.reason, ...cause.detail }, { cause })
  }
}
