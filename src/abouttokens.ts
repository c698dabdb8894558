/** What can be asked about a token that has left: what it is good for, and that it be good for nothing any more. */

import { type CallerRooms, callers } from './caller.ts'
import { type Finding, type Inquiry, introspect } from './introspection.ts'
import type { SigningKeys } from './keys.ts'
import type { Revocations } from './revocations.ts'
import { type Return, takeBack } from './revoking.ts'

/** What is asked, and answered. */
export type AboutTokens = {
  /** @throws Refusal */
  introspect(inquiry: Inquiry): Promise<Finding>
  /** @throws Refusal */
  takeBack(wish: Return): Promise<void>
}

/** The rooms that such a question passes through. */
export type AboutRooms = CallerRooms & {
  readonly issuer: string
  readonly keys: SigningKeys
  readonly revocations: Revocations
  /** The workloads behind an audience, by canonical URI. */
  readonly servedBy: (audience: string) => readonly string[]
}

/** Composed in `broker.ts`. */
export function aboutTokens(rooms: AboutRooms): AboutTokens {
  const known = { ...rooms, callers: callers(rooms) }
  return {
    introspect: (inquiry) => introspect(known, inquiry),
    takeBack: (wish) => takeBack(known, wish),
  }
}
