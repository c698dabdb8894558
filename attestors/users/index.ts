/** Providers of people: the identity providers of `users`, whose tokens say for whom an agent acts. */

import type { Authority, Provider } from '../../src/authority.ts'
import type { AttestorHealth } from '../../src/identity.ts'
import { keyReader } from '../../src/net/keyreader.ts'
import { type JwtWorld, jwtVerifier } from '../jwt.ts'
import { checkType, personProfile } from './person.ts'
import type { UsersSettings } from './settings.ts'

export { ID_JAG } from './idjag.ts'
export { checkUsers, UsersSettings } from './settings.ts'

/** A provider at work, with its background work. */
export type RunningProvider = Provider & {
  start(): Promise<void>
  health(): AttestorHealth
  close(): void
}

/**
 * One entry of `users`.
 * @param issuer ours
 */
export function provider(
  settings: UsersSettings,
  { issuer, world }: { readonly issuer: string; readonly world: JwtWorld },
): RunningProvider {
  const trust = `users:${settings.name}`
  const jwks = settings.jwks ?? { discovery: true }
  const { prepare, start, health, close } = jwtVerifier<Authority>(
    {
      trust,
      algorithms: settings.algorithms ?? ['RS256', 'ES256'],
      readKeys: keyReader(jwks, settings.issuer, world.door),
      profile: personProfile(settings, { trust, issuer }),
    },
    world,
  )
  return {
    trust,
    issuer: settings.issuer,
    prepare(jwt, type, nowSeconds) {
      checkType(jwt, type, settings)
      return prepare(jwt, nowSeconds)
    },
    start,
    health,
    close,
  }
}
