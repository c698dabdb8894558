/**
 * The profile of a JWT-SVID (JWT-SVID §2, §3). What SPIRE signs:
 *
 *     {"alg":"ES256","kid":"Nq8…","typ":"JWT"}
 *     {"aud":["https://countersign.example.com"],"exp":…,"iat":…,"sub":"spiffe://example.org/ns/agents/sa/planner"}
 *
 * No I/O. No clock.
 */

import type { TrustCommon } from '../../src/identity.ts'
import { digestOf, type UnverifiedJwt } from '../../src/net/jwt.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { seconds } from '../../src/units.ts'
import { checkAudience, checkWindow } from '../claims.ts'
import type { JwtProfile } from '../jwt.ts'
import { DEFAULT_MAX_LIFETIME, type SpiffeSettings } from './settings.ts'
import { checkListed, readWorkloadId, workload } from './workload.ts'

/** The whole header of a JWT-SVID (§2), and the values of its `typ`. */
const MEMBERS = ['alg', 'kid', 'typ']
const TYPES: readonly unknown[] = [undefined, 'JWT', 'JOSE']

/** The checks of one entry. */
export function jwtSvid(settings: SpiffeSettings, { trust, audience }: TrustCommon): JwtProfile {
  const { trustDomain } = settings
  const maxLifetimeSeconds = seconds(settings.maxLifetime ?? DEFAULT_MAX_LIFETIME)
  const hint = `ask the Workload API for a JWT-SVID with the audience ${audience}`

  function screen({ header, claims }: UnverifiedJwt, nowSeconds: number) {
    checkHeader(header)
    const id = readWorkloadId('sub', claims['sub'], trustDomain)
    checkAudience(claims, [audience], hint)
    // `iat` is demanded, although the standard does not: without it neither the lifetime nor the age can be judged.
    return { id, window: checkWindow(claims, nowSeconds, maxLifetimeSeconds) }
  }

  return {
    screen: (jwt, nowSeconds) => void screen(jwt, nowSeconds),
    identify(jwt, nowSeconds) {
      const { id, window } = screen(jwt, nowSeconds)
      checkListed(id, settings)
      return workload(trust, id, 'jwt', window, digestOf(jwt))
    },
  }
}

function checkHeader(header: UnverifiedJwt['header']): void {
  const foreign = Object.keys(header).find((member) => !MEMBERS.includes(member))
  if (foreign !== undefined) {
    throw new Refusal('header_refused', { member: printable(foreign), expected: MEMBERS })
  }
  if (!TYPES.includes(header.typ)) {
    throw new Refusal('type_refused', { expected: ['JWT', 'JOSE'], found: printable(header.typ) })
  }
}
