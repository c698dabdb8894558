/** A token taken back by its holder (RFC 7009). What was delegated from it falls with it; nothing else does. */

import type { AccessTokens } from './accesstoken.ts'
import type { Callers, ShownCaller } from './caller.ts'
import { nameOf } from './lineage.ts'
import { Refusal } from './refusal.ts'
import type { Revocations } from './revocations.ts'

/** Revocations that holders may have in force at one time. Beyond it they are asked to come back. */
const MAX_BY_HOLDERS = 100_000

/** Those of one holder: alone it cannot crowd others out of the feed, which then tells nothing of any token. */
export const MAX_BY_ONE = 500

/** A wish to have a token taken back. Parsed, not trusted. */
export type Return = { readonly caller: ShownCaller; readonly token: string }

/** The rooms that it passes through. Composed in `broker.ts`. */
export type ReturnRooms = {
  readonly callers: Callers
  readonly tokens: AccessTokens
  readonly revocations: Pick<Revocations, 'revoke' | 'revoked' | 'size' | 'countBy'>
  /** Epoch seconds. */
  readonly seconds: () => number
}

/**
 * Takes a token back if it is its caller's own. Whatever else was sent is left as it is, and sounds the same: nobody
 * finds out here whether a token is good, and whose it is (RFC 7009 §2.2).
 *
 * @throws Refusal for a caller that is not known, `store_unavailable` when the token is still good
 */
export async function takeBack(
  rooms: ReturnRooms,
  { caller: shown, token }: Return,
): Promise<void> {
  const { callers, tokens, revocations, seconds } = rooms
  const { uri } = await callers.identify(shown)
  const held = tokens.find(token, seconds())
  // Its key need not be proved: whoever lost it has the best of reasons to revoke.
  if (held === null || held.clientId !== uri) return
  const { jti, issuedAt, expiresAt } = held
  const name = nameOf('token', jti)
  if (revocations.revoked([name], issuedAt) !== null) return
  insistOnRoom(revocations, uri, seconds())
  const what = { kind: 'token', name, target: jti, liftedAt: null } as const
  const when = { at: seconds(), until: expiresAt }
  try {
    await revocations.revoke({ ...what, ...when, by: uri, reason: 'by its holder' })
  } catch (cause) {
    throw new Refusal('store_unavailable', { needed: 'revocations' }, { cause })
  }
}

function insistOnRoom(
  { size, countBy }: Pick<Revocations, 'size' | 'countBy'>,
  holder: string,
  now: number,
): void {
  if (size() >= MAX_BY_HOLDERS) {
    throw new Refusal('overloaded', { limit: MAX_BY_HOLDERS, found: 'revocations in force' })
  }
  // Counted only where there are enough to count.
  if (size() >= MAX_BY_ONE && countBy(holder, now) >= MAX_BY_ONE) {
    throw new Refusal('overloaded', { limit: MAX_BY_ONE, found: `revocations by ${holder}` })
  }
}
