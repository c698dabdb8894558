/**
 * The broker's own signing keys. A key is published for a while before it signs, so that a resource server
 * with cached keys never meets one it does not know, and after it has signed its last token, until that
 * token has expired. Private halves are sealed in the store.
 */

import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { Refusal } from './refusal.ts'
import type { Seal } from './seal.ts'
import type { KeyRecord, Store } from './store/store.ts'
import { tokenHeader } from './token.ts'

/** How long a new key is published before it signs: well past the cache lifetime of `/jwks`. */
const LEAD_SECONDS = 24 * 3600

/** How long a replaced key stays published: the longest token lifetime, and an hour for slow clocks. */
const AFTERLIFE_SECONDS = 25 * 3600

/** The key that signs now. */
export type Signer = {
  readonly kid: string
  readonly key: KeyObject
  /** The encoded JOSE header of its tokens. */
  readonly header: string
}

/** The broker's signing keys, in memory. */
export interface SigningKeys {
  /** @throws Refusal `signing_key_unavailable` before the first `refresh` has succeeded */
  signer(now: number): Signer
  /** JSON Web Key Set (RFC 7517 §5) of every key whose tokens may be in use, now or soon. */
  published(now: number): { readonly keys: readonly JWK[] }
  /** Reads the store, and makes the first or the next key when it is due. Call it at start and often. */
  refresh(now: number): Promise<void>
}

type Loaded = {
  readonly kid: string
  readonly sequence: number
  readonly createdAt: number
  readonly signsFrom: number
  readonly publicJwk: JWK
  readonly key: KeyObject
  readonly header: string
}

/**
 * @param rotateEvery seconds that a key signs before its successor takes over
 * @param seal opens and seals the private halves, with the key id as name
 */
export function signingKeys(store: Store, seal: Seal, rotateEvery: number): SigningKeys {
  let keys: readonly Loaded[] = []

  async function reload(): Promise<void> {
    const records = await store.listKeys()
    const known = new Map(keys.map((key) => [key.kid, key]))
    keys = records.map((record) => known.get(record.kid) ?? load(record, seal))
  }

  async function add(sequence: number, createdAt: number, signsFrom: number): Promise<void> {
    // Another replica may have been first; its key is then the one that counts.
    await store.addKey(await createKey(seal, sequence, createdAt, signsFrom))
    await reload()
  }

  return {
    signer(now) {
      const current = keys.findLast((key) => key.signsFrom <= now) ?? keys[0]
      if (current === undefined) throw new Refusal('signing_key_unavailable')
      return current
    },
    published(now) {
      const live = keys.filter((_, index) => {
        const successor = keys[index + 1]
        return successor === undefined || now < successor.signsFrom + AFTERLIFE_SECONDS
      })
      return { keys: live.map((key) => key.publicJwk) }
    },
    async refresh(now) {
      await reload()
      if (keys.length === 0) await add(1, now, now)
      const lead = Math.min(LEAD_SECONDS, rotateEvery / 2)
      // A key that signs only in a far future was made while a clock was wrong; it must not stop rotation.
      const newest = keys.findLast((key) => key.signsFrom <= now + rotateEvery + lead)
      const last = keys.at(-1)
      if (newest === undefined || last === undefined || newest.signsFrom > now) return
      const due = newest.signsFrom + rotateEvery
      // After a long stop the successor is overdue; it is still published for its whole lead.
      if (now >= due - lead) await add(last.sequence + 1, now, Math.max(due, now + lead))
    },
  }
}

async function createKey(
  seal: Seal,
  sequence: number,
  createdAt: number,
  signsFrom: number,
): Promise<KeyRecord> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = pair.publicKey.export({ format: 'jwk' }) as JWK
  const kid = await calculateJwkThumbprint(jwk)
  const publicJwk = JSON.stringify({ ...jwk, kid, use: 'sig', alg: 'ES256' })
  const pkcs8 = pair.privateKey.export({ format: 'der', type: 'pkcs8' })
  return {
    kid,
    sequence,
    createdAt,
    signsFrom,
    publicJwk,
    sealedPrivate: seal.seal(pkcs8, kid),
  }
}

function load(record: KeyRecord, seal: Seal): Loaded {
  let pkcs8: Buffer
  try {
    pkcs8 = seal.open(record.sealedPrivate, record.kid)
  } catch (cause) {
    throw new Error(
      `keys.secret does not open signing key ${record.kid}: it is not the secret this store was made with`,
      { cause },
    )
  }
  return {
    kid: record.kid,
    sequence: record.sequence,
    createdAt: record.createdAt,
    signsFrom: record.signsFrom,
    publicJwk: JSON.parse(record.publicJwk) as JWK,
    key: createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }),
    header: tokenHeader(record.kid),
  }
}
