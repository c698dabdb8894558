/** What each signing key is for at an instant: it is published before it signs and after it has, unless it is revoked. */

import type { JWK } from 'jose'
import { nameOf } from './lineage.ts'
import { everyRevocation } from './revocations.ts'
import type { KeyRecord, Store } from './store/store.ts'

/** How long a replaced key stays published: the longest token lifetime, and an hour for slow clocks. */
export const AFTERLIFE_SECONDS = 25 * 3600

/**
 * `next`: published, does not sign yet. `retiring`: signs no longer, its tokens may be in use. `retired`: not published.
 * `revoked`: not published, and none of its tokens is good.
 */
export type KeyState = 'next' | 'signing' | 'retiring' | 'retired' | 'revoked'

/** Whether a signing key was revoked, by its name (see `lineage.ts`). */
export type IsRevoked = (name: string) => boolean

/** Without a word about revocations no key is revoked. */
export const NONE_REVOKED: IsRevoked = () => false

/** Whether verifiers find a key of this state at `/jwks`. */
export function isPublished(state: KeyState): boolean {
  return state !== 'retired' && state !== 'revoked'
}

/** One key in time. All instants in epoch seconds. */
export type KeyLife = {
  readonly kid: string
  readonly state: KeyState
  /** Published from then on. */
  readonly createdAt: number
  readonly signsFrom: number
  /** When a later key takes over, and when this one leaves the published set; null while no later key is known. */
  readonly signsUntil: number | null
  readonly publishedUntil: number | null
  readonly publicJwk: JWK
}

type KeyInTime = Pick<KeyRecord, 'kid' | 'createdAt' | 'signsFrom'> & { readonly publicJwk: JWK }

/**
 * What each key is for at an instant. Of all keys whose time has come and that are not revoked, the last one signs.
 *
 * @param keys in the order of their sequence
 */
export function keyLives(
  keys: readonly KeyInTime[],
  now: number,
  isRevoked: IsRevoked,
): readonly KeyLife[] {
  const good = (key: KeyInTime) => !isRevoked(nameOf('key', key.kid))
  const signing = signingOf(keys.filter(good), now)
  return keys.map((key, index) => {
    const { kid, createdAt, signsFrom, publicJwk } = key
    const takeovers = keys
      .slice(index + 1)
      .filter(good)
      .map((later) => later.signsFrom)
    const signsUntil = takeovers.length === 0 ? null : Math.min(...takeovers)
    const publishedUntil = signsUntil === null ? null : signsUntil + AFTERLIFE_SECONDS
    const state = good(key)
      ? stateOf(kid === signing?.kid, signsUntil, publishedUntil, now)
      : 'revoked'
    return { kid, state, createdAt, signsFrom, signsUntil, publishedUntil, publicJwk }
  })
}

/** The key that signs: of those whose time has come the last one, and before that the first. */
export function signingOf<Key extends { readonly signsFrom: number }>(
  good: readonly Key[],
  now: number,
): Key | undefined {
  return good.findLast((key) => key.signsFrom <= now) ?? good[0]
}

function stateOf(
  signs: boolean,
  signsUntil: number | null,
  publishedUntil: number | null,
  now: number,
): KeyState {
  if (signs) return 'signing'
  if (signsUntil === null || now < signsUntil) return 'next'
  return publishedUntil === null || now < publishedUntil ? 'retiring' : 'retired'
}

/** The lives of keys as they are in a store: no secret is needed for it. */
export async function storedLives(
  store: Pick<Store, 'listKeys' | 'listRevocations'>,
  now: number,
): Promise<readonly KeyLife[]> {
  const keys = (await store.listKeys()).map((record) => ({
    ...record,
    publicJwk: JSON.parse(record.publicJwk) as JWK,
  }))
  const revoked = new Set<string>()
  for await (const { kind, name } of everyRevocation(store)) if (kind === 'key') revoked.add(name)
  return keyLives(keys, now, (name) => revoked.has(name))
}
