/**
 * The broker's own signing keys. A key is published for a while before it signs, so that a resource server
 * with cached keys never meets one it does not know, and after it has signed its last token, until that
 * token has expired. Private halves are sealed in the store.
 */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { type IsRevoked, type KeyLife, keyLives, NONE_REVOKED, signingOf } from './keylife.ts'
import { nameOf } from './lineage.ts'
import { sealingKey } from './opaque.ts'
import { Refusal } from './refusal.ts'
import type { Seal } from './seal.ts'
import type { KeyRecord, Store } from './store/store.ts'
import { tokenHeader } from './token.ts'

/** How long a new key is published before it signs: well past the cache lifetime of `/jwks`. */
const LEAD_SECONDS = 24 * 3600

/** The key that signs now. */
export type Signer = {
  readonly kid: string
  readonly key: KeyObject
  /** The encoded JOSE header of its tokens. */
  readonly header: string
  /** What seals its opaque tokens. It comes and goes with the key. */
  readonly sealing: KeyObject
}

/** What a token of ours is read back with. */
export type Reader = Pick<Signer, 'kid' | 'sealing'> & { readonly publicKey: KeyObject }

/** The broker's signing keys, in memory. */
export interface SigningKeys {
  /** @throws Refusal `signing_key_unavailable` before the first `refresh` has succeeded */
  signer(now: number): Signer
  /** JSON Web Key Set (RFC 7517 §5) of every key whose tokens may be in use, now or soon. */
  published(now: number): { readonly keys: readonly JWK[] }
  /** What every token that may be in use can be read back with: one for each published key. */
  readers(now: number): readonly Reader[]
  /** Reads the store, and makes the first or the next key when it is due. Call it at start and often. */
  refresh(now: number): Promise<void>
  /**
   * Makes the next key before it is due. Reads the store first, so that a wrong `keys.secret` changes nothing.
   *
   * @param how `led`: published for the usual lead before it signs; there is nothing to do while the next key is
   *   published already. `now`: signs as soon as a broker has read it, for a key that is no longer ours alone
   * @returns the key that signs next, or now; and whether it was made by this call
   * @throws Error with a sentence for the operator
   */
  rotate(now: number, how: 'led' | 'now'): Promise<{ readonly kid: string; readonly made: boolean }>
  /** Every key of the store, as last read. */
  lives(now: number): readonly KeyLife[]
}

type Loaded = Signer &
  Reader & {
    readonly sequence: number
    readonly createdAt: number
    readonly signsFrom: number
    readonly publicJwk: JWK
    /** How a revocation calls it. */
    readonly name: string
  }

/**
 * @param rotateEvery seconds that a key signs before its successor takes over
 * @param seal opens and seals the private halves, with the key id as name
 * @param isRevoked is asked each time: a key is out of use as soon as its revocation is known
 */
export function signingKeys(
  store: Store,
  seal: Seal,
  rotateEvery: number,
  isRevoked: IsRevoked = NONE_REVOKED,
): SigningKeys {
  const lead = Math.min(LEAD_SECONDS, rotateEvery / 2)
  let keys: readonly Loaded[] = []
  let reads = 0
  let latest = 0

  async function reload(): Promise<void> {
    reads += 1
    const read = reads
    const records = await store.listKeys()
    // Reads can overtake each other; an older one must not take a newer key away again.
    if (read < latest) return
    latest = read
    const known = new Map(keys.map((key) => [key.kid, key]))
    keys = records.map((record) => known.get(record.kid) ?? load(record, seal))
  }

  async function add(sequence: number, createdAt: number, signsFrom: number): Promise<void> {
    // Another replica may have been first; its key is then the one that counts.
    await store.addKey(await createKey(seal, sequence, createdAt, signsFrom))
    await reload()
  }

  const good = () => keys.filter(({ name }) => !isRevoked(name))

  function inUse(now: number): readonly Loaded[] {
    const usable = good()
    const lives = keyLives(usable, now, NONE_REVOKED)
    return usable.filter((_key, index) => lives[index]?.state !== 'retired')
  }

  return {
    signer(now) {
      const current = signingOf(good(), now)
      if (current === undefined) throw new Refusal('signing_key_unavailable')
      return current
    },
    published: (now) => ({ keys: inUse(now).map((key) => key.publicJwk) }),
    readers: inUse,
    lives: (now) => keyLives(keys, now, isRevoked),
    async rotate(now, how) {
      await reload()
      const last = keys.at(-1)
      const next = keyLives(keys, now, isRevoked).find(({ state }) => state === 'next')
      if (how === 'led' && next !== undefined) return { kid: next.kid, made: false }
      const signsFrom = how === 'now' ? now : now + lead
      const record = await createKey(seal, (last?.sequence ?? 0) + 1, now, signsFrom)
      if (!(await store.addKey(record))) {
        throw new Error('another process has just made a key; look at the list, then try again')
      }
      await reload()
      return { kid: record.kid, made: true }
    },
    async refresh(now) {
      await reload()
      if (good().length === 0) await add((keys.at(-1)?.sequence ?? 0) + 1, now, now)
      // A key that signs only in a far future was made while a clock was wrong; it must not stop rotation.
      const newest = good().findLast((key) => key.signsFrom <= now + rotateEvery + lead)
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

/** @throws Error that names `keys.secret` when it does not open one of them */
export function openAll(records: readonly KeyRecord[], seal: Seal): void {
  for (const record of records) load(record, seal)
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
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  return {
    kid: record.kid,
    name: nameOf('key', record.kid),
    sequence: record.sequence,
    createdAt: record.createdAt,
    signsFrom: record.signsFrom,
    publicJwk: JSON.parse(record.publicJwk) as JWK,
    key,
    publicKey: createPublicKey(key),
    header: tokenHeader(record.kid),
    sealing: sealingKey(key),
  }
}
