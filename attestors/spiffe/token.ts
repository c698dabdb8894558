/**
 * The profile of a JWT-SVID (JWT-SVID §2, §3). What SPIRE signs:
 *
 *     {"alg":"ES256","kid":"Nq8…","typ":"JWT"}
 *     {"aud":["https://countersign.example.com"],"exp":…,"iat":…,"sub":"spiffe://example.org/ns/agents/sa/planner"}
 *
 * No I/O. No clock.
 */

import type { Identity, TrustCommon } from '../../src/identity.ts'
import { digestOf, type UnverifiedJwt } from '../../src/net/jwt.ts'
import { parseSpiffeId, type SpiffeId, trustDomainUri } from '../../src/net/spiffeid.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { seconds } from '../../src/units.ts'
import { checkAudience, checkWindow, invalidClaim, type Window } from '../claims.ts'
import { signedFacts } from '../facts.ts'
import type { JwtProfile } from '../jwt.ts'
import { BELOW, DEFAULT_MAX_LIFETIME, type SpiffeSettings } from './settings.ts'

/** The whole header of a JWT-SVID (§2), and the values of its `typ`. */
const MEMBERS = ['alg', 'kid', 'typ']
const TYPES: readonly unknown[] = [undefined, 'JWT', 'JOSE']

/** The checks of one entry. */
export function jwtSvid(settings: SpiffeSettings, { trust, audience }: TrustCommon): JwtProfile {
  const { trustDomain, ids } = settings
  const maxLifetimeSeconds = seconds(settings.maxLifetime ?? DEFAULT_MAX_LIFETIME)
  const hint = `ask the Workload API for a JWT-SVID with the audience ${audience}`

  function screen({ header, claims }: UnverifiedJwt, nowSeconds: number) {
    checkHeader(header)
    const id = readSubject(claims['sub'], trustDomain)
    checkAudience(claims, [audience], hint)
    // `iat` is demanded, although the standard does not: without it neither the lifetime nor the age can be judged.
    return { id, window: checkWindow(claims, nowSeconds, maxLifetimeSeconds) }
  }

  return {
    screen: (jwt, nowSeconds) => void screen(jwt, nowSeconds),
    identify(jwt, nowSeconds) {
      const { id, window } = screen(jwt, nowSeconds)
      if (ids !== undefined && !ids.some((listed) => admits(listed, id.uri))) {
        throw new Refusal('subject_untrusted', { list: 'ids', found: printable(id.uri) })
      }
      return identity(trust, id, window, digestOf(jwt))
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

/** @throws Refusal `claim_invalid`, `issuer_untrusted` */
function readSubject(sub: unknown, trustDomain: string): SpiffeId {
  const id = parseSpiffeId(sub)
  // The id without a path is that of the trust domain, which signs and does not work.
  if (id === null || id.path === '') {
    throw invalidClaim('sub', `a SPIFFE ID, ${trustDomainUri(trustDomain)}/<path>`, sub)
  }
  if (id.trustDomain === trustDomain) return id
  const expected = trustDomainUri(trustDomain)
  throw new Refusal('issuer_untrusted', { expected, found: printable(id.uri) })
}

/** Whole segments only: `…/pay/*` is not `…/payroll`. */
function admits(listed: string, id: string): boolean {
  return listed.endsWith(BELOW) ? id.startsWith(listed.slice(0, -1)) : id === listed
}

function identity(trust: string, id: SpiffeId, window: Window, digest: string): Identity {
  const { uri, trustDomain, path } = id
  return {
    kind: 'spiffe',
    trust,
    uri,
    principal: { type: 'SpiffeWorkload', id: uri },
    ancestry: [],
    facts: signedFacts({ trustDomain, path, svid: 'jwt' }, window.issuedAt),
    ...window,
    // Agents hand out one token for about half of its life; `jti` is optional.
    replay: { policy: 'reusable', key: digest },
    lineage: [uri],
  }
}
