/** What can be asked about a token that has left: what it is good for, and that it be good for nothing any more. */

import { accessTokens } from './accesstoken.ts'
import { type CallerRooms, callers } from './caller.ts'
import type { Config } from './config.ts'
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
export type AboutRooms = Omit<CallerRooms, 'tokens'> & {
  readonly issuer: string
  readonly keys: SigningKeys
  readonly revocations: Revocations
}

/** Composed in `broker.ts`. */
export function aboutTokens(
  { resources }: Pick<Config, 'resources'>,
  rooms: AboutRooms,
): AboutTokens {
  const asking = { ...rooms, tokens: accessTokens(rooms.issuer, rooms.keys) }
  const servers = new Map(resources.map(({ audience, servedBy }) => [audience, servedBy]))
  const servedBy = (audience: string) => servers.get(audience) ?? []
  const known = { ...asking, servedBy, callers: callers(asking) }
  return {
    introspect: (inquiry) => introspect(known, inquiry),
    takeBack: (wish) => takeBack(known, wish),
  }
}
