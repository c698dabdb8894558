/**
 * Opaque access tokens: the claims of a JWT, sealed with AES-256-GCM, so that only this broker reads them. There is no
 * row for a token. What seals is derived from the private half of a signing key: replicas have it in common, it
 * rotates with that key, and it ends when that key is published no longer, which is after its last token has.
 *
 *     countersign_at_ base64url( version 1 · short key id 9 · nonce 24 · tag 16 · claims as JSON )
 */

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import type { Reader, Signer } from './keys.ts'
import { isObject, type JsonObject, parseJson } from './net/json.ts'
import { Refusal } from './refusal.ts'

/** What every opaque token begins with, so that people and scanners for leaked secrets know one when they see it. */
export const OPAQUE_PREFIX = 'countersign_at_'

/** No opaque token is longer than this: what carries it, a header, has limits of its own. */
export const MAX_OPAQUE_CHARACTERS = 4096

const VERSION = 1
const KEY_ID_BYTES = 9
const HALF_NONCE_BYTES = 12
const TAG_BYTES = 16
const NONCE_AT = 1 + KEY_ID_BYTES
const TAG_AT = NONCE_AT + 2 * HALF_NONCE_BYTES
const CLAIMS_AT = TAG_AT + TAG_BYTES

/** Claims nest no deeper than an `act` chain does, and a mapped list. */
const CLAIMS_DEPTH = 16

/** What seals the tokens of a signing key (RFC 5869, with its private scalar as keying material). */
export function sealingKey(privateKey: KeyObject): KeyObject {
  const { d } = privateKey.export({ format: 'jwk' })
  if (d === undefined) throw new Error('a signing key has no private half')
  const scalar = Buffer.from(d, 'base64url')
  return createSecretKey(
    Buffer.from(hkdfSync('sha256', scalar, '', 'countersign opaque tokens', 32)),
  )
}

/** Whether this is, or pretends to be, an opaque token of ours. */
export function looksOpaque(token: string): boolean {
  return token.startsWith(OPAQUE_PREFIX)
}

/**
 * Seals the claims of one token.
 * @throws Refusal `token_oversized` when they are too many
 */
export function sealToken(
  claims: object,
  { kid, sealing }: Pick<Signer, 'kid' | 'sealing'>,
): string {
  const nonce = randomBytes(2 * HALF_NONCE_BYTES)
  const head = Buffer.concat([Buffer.of(VERSION), shortId(kid)])
  const cipher = createCipheriv('aes-256-gcm', tokenKey(sealing, nonce), ivOf(nonce))
  cipher.setAAD(bound(head))
  const sealed = Buffer.concat([cipher.update(JSON.stringify(claims), 'utf8'), cipher.final()])
  const bytes = Buffer.concat([head, nonce, cipher.getAuthTag(), sealed])
  const token = OPAQUE_PREFIX + bytes.toString('base64url')
  if (token.length > MAX_OPAQUE_CHARACTERS) {
    throw new Refusal('token_oversized', {
      characters: token.length,
      maximum: MAX_OPAQUE_CHARACTERS,
    })
  }
  return token
}

/** A token that was opened: its claims are ours, as they were sealed. */
export type Opened = { readonly kid: string; readonly claims: JsonObject }

/**
 * Opens what `sealToken` made.
 * @param readers those of the keys that are published now
 * @throws Refusal `evidence_too_large`, `token_malformed`, `key_unknown`, `signature_invalid`
 */
export function openToken(token: string, readers: readonly Reader[]): Opened {
  if (token.length > MAX_OPAQUE_CHARACTERS) {
    throw new Refusal('evidence_too_large', {
      bytes: token.length,
      maxBytes: MAX_OPAQUE_CHARACTERS,
    })
  }
  const bytes = bytesOf(token)
  const keyId = bytes.subarray(1, NONCE_AT)
  const reader = readers.find(({ kid }) => shortId(kid).equals(keyId))
  if (reader === undefined) throw new Refusal('key_unknown', { found: keyId.toString('base64url') })
  const claims = parseJson(unseal(bytes, reader).toString('utf8'), CLAIMS_DEPTH)
  // INVARIANT: only objects are sealed.
  if (!isObject(claims)) throw new Refusal('token_malformed', { problem: 'not a JSON object' })
  return { kid: reader.kid, claims }
}

/** One token has one spelling: encoding again refuses every alias. */
function bytesOf(token: string): Buffer {
  const text = token.slice(OPAQUE_PREFIX.length)
  const bytes = Buffer.from(text, 'base64url')
  const ours = looksOpaque(token) && bytes.toString('base64url') === text
  if (!ours || bytes.length <= CLAIMS_AT || bytes[0] !== VERSION) {
    throw new Refusal('token_malformed', { problem: 'not a sealed token of this version' })
  }
  return bytes
}

function unseal(bytes: Buffer, { kid, sealing }: Reader): Buffer {
  const nonce = bytes.subarray(NONCE_AT, TAG_AT)
  const decipher = createDecipheriv('aes-256-gcm', tokenKey(sealing, nonce), ivOf(nonce), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(bound(bytes.subarray(0, NONCE_AT)))
  decipher.setAuthTag(bytes.subarray(TAG_AT, CLAIMS_AT))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(CLAIMS_AT)), decipher.final()])
  } catch (cause) {
    throw new Refusal('signature_invalid', { kid }, { cause })
  }
}

/**
 * Each token has a key of its own: one key takes 2^32 random IVs and no more (NIST SP 800-38D §8.3), and a busy broker
 * makes that many tokens before its key is replaced.
 */
function tokenKey(sealing: KeyObject, nonce: Buffer): Buffer {
  return createHmac('sha256', sealing).update(nonce.subarray(0, HALF_NONCE_BYTES)).digest()
}

function ivOf(nonce: Buffer): Buffer {
  return nonce.subarray(HALF_NONCE_BYTES)
}

function bound(head: Buffer): Buffer {
  return Buffer.concat([Buffer.from(OPAQUE_PREFIX), head])
}

/** The first 72 bits of a key id, which is a hash. It only selects. */
function shortId(kid: string): Buffer {
  return Buffer.from(kid, 'base64url').subarray(0, KEY_ID_BYTES)
}
