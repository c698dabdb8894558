/**
 * The profile of a provider's tokens (OpenID Connect Core §2, RFC 9068): who the person is, and in which groups. No
 * I/O. No clock.
 */

import type { Authority } from '../../src/authority.ts'
import { actorsOf, readAct } from '../../src/authority.ts'
import { lineageOf, nameOf } from '../../src/lineage.ts'
import { isObject, type Json, type JsonObject } from '../../src/net/json.ts'
import { digestOf, mediaType, type UnverifiedJwt } from '../../src/net/jwt.ts'
import type { Party } from '../../src/policy/question.ts'
import { type Confirmation, readConfirmation } from '../../src/possession.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { seconds } from '../../src/units.ts'
import { PERSON } from '../../src/uri.ts'
import { checkIssuer, checkWindow, invalidClaim } from '../claims.ts'
import { signedFacts } from '../facts.ts'
import type { Profile } from '../jwt.ts'
import { encodePart } from '../oidc/subject.ts'
import { grantedBy, ID_JAG } from './idjag.ts'
import type { Accepted, UsersSettings } from './settings.ts'

const DEFAULT_MAX_LIFETIME = '24h'
const MAX_GROUPS = 500

/** RFC 8693 §3, and draft-ietf-oauth-identity-assertion-authz-grant §3. */
const TYPES: Readonly<Record<string, Accepted>> = {
  'urn:ietf:params:oauth:token-type:id_token': 'id_token',
  'urn:ietf:params:oauth:token-type:access_token': 'access_token',
  'urn:ietf:params:oauth:token-type:jwt': 'access_token',
  [ID_JAG]: 'id-jag',
}

/** `typ` of each kind of token, in lower case without `application/`; many providers write none, or `JWT`. */
const HEADER_TYPES: Readonly<Record<Accepted, readonly string[]>> = {
  id_token: ['', 'jwt'],
  access_token: ['at+jwt', '', 'jwt'],
  'id-jag': ['oauth-id-jag+jwt'],
}

/**
 * The profile of one entry of `users`.
 * @param trust `users:<name>`
 * @param issuer ours: whom an ID-JAG has to be for
 */
export function personProfile(
  settings: UsersSettings,
  { trust, issuer }: { readonly trust: string; readonly issuer: string },
): Profile<Authority> {
  const maxLifetimeSeconds = seconds(settings.maxLifetime ?? DEFAULT_MAX_LIFETIME)
  return {
    screen(jwt, nowSeconds) {
      checkIssuer(jwt.claims, settings.issuer)
      checkAudiences(jwt.claims, isGrant(jwt) ? [issuer] : settings.audiences)
      checkWindow(jwt.claims, nowSeconds, maxLifetimeSeconds)
      subjectOf(jwt.claims)
    },
    identify(jwt, nowSeconds) {
      const { claims } = jwt
      const window = checkWindow(claims, nowSeconds, maxLifetimeSeconds)
      const mayAct = mayActOf(claims, issuer)
      const granted = isGrant(jwt) ? grantedBy(claims, settings, mayAct) : null
      const act = readAct(claims['act'])
      const key = granted?.once ?? digestOf(jwt)
      const lineage = lineageOf({ trust, replay: { policy: 'reusable', key }, lineage: [] })
      const user = personOf(claims, settings, trust, window.issuedAt)
      return {
        by: trust,
        subject: user.uri,
        user,
        of: granted?.of ?? null,
        act,
        use: granted?.use ?? { by: 'anyone', mayAct },
        confirmation: confirmationOf(claims),
        ...window,
        lineage,
        names: [
          ...lineage,
          nameOf('sub', user.uri),
          ...actorsOf(act).map(({ sub }) => nameOf('actor', sub)),
        ],
        receipts: [],
        once: granted?.once ?? null,
        transaction: null,
      }
    },
  }
}

function personOf(
  claims: JsonObject,
  settings: UsersSettings,
  trust: string,
  observedAt: number,
): Party {
  const { name } = settings
  const id = `${name}/${encodePart(subjectOf(claims))}`
  const groups = groupsOf(claims, settings)
  return {
    kind: 'users',
    trust,
    uri: `${PERSON}${id}`,
    principal: { type: 'User', id },
    ancestry: groups.map((group) => ({ type: 'Group', id: `${name}/${group}` })),
    facts: signedFacts({ provider: name, ...personal(claims) }, observedAt),
  }
}

/**
 * Whether a token is what the caller says it is, and of a kind that is taken here. One that was given out for
 * something else is refused: an access token shown as an ID token, or the reverse.
 * @param type `subject_token_type` (RFC 8693 §3)
 * @throws Refusal `type_refused`
 */
export function checkType(
  { header, claims }: UnverifiedJwt,
  type: string,
  { accept }: UsersSettings,
): void {
  const kind = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined
  if (kind === undefined || !accept.includes(kind)) {
    throw new Refusal('type_refused', { expected: accept, found: printable(type) })
  }
  const isAccess = 'scope' in claims || 'scp' in claims || mediaType(header.typ ?? '') === 'at+jwt'
  // RFC 8417 §2.2: what has `events` tells of something, as a logout token does, which once needed no `typ` of its own.
  const fits =
    !('events' in claims) && (kind === 'id-jag' || isAccess === (kind === 'access_token'))
  if (HEADER_TYPES[kind].includes(mediaType(header.typ ?? '')) && fits) return
  throw new Refusal('type_refused', { expected: kind, found: printable(header.typ) })
}

/** An ID-JAG: an assertion that an identity provider made out to us. */
function isGrant({ header }: UnverifiedJwt): boolean {
  return HEADER_TYPES['id-jag'].includes(mediaType(header.typ ?? ''))
}

/** One that is for somebody else, too, could be brought by them. */
function checkAudiences(claims: JsonObject, audiences: readonly string[]): void {
  const { aud } = claims
  const all: readonly Json[] = Array.isArray(aud) ? aud : aud === undefined ? [] : [aud]
  const known = (each: Json) => typeof each === 'string' && audiences.includes(each)
  if (all.length > 0 && all.every(known)) return
  throw new Refusal('audience_wrong', { expected: audiences, found: printable(aud) })
}

function subjectOf(claims: JsonObject): string {
  const { sub } = claims
  // OpenID Connect Core §2: at most 255 ASCII characters. "." and ".." would be steps of a path.
  if (typeof sub === 'string' && /^[\x21-\x7e]{1,255}$/.test(sub) && !/^\.\.?$/.test(sub))
    return sub
  throw invalidClaim('sub', '1 to 255 printable characters', sub)
}

/** What says how the person signed in. A fact of another form is no fact. */
function personal(claims: JsonObject) {
  const { acr, amr, email } = claims
  return {
    subject: subjectOf(claims),
    acr: typeof acr === 'string' ? acr : undefined,
    amr: Array.isArray(amr) ? amr.filter((each) => typeof each === 'string') : undefined,
    email: typeof email === 'string' && claims['email_verified'] === true ? email : undefined,
  }
}

function groupsOf(claims: JsonObject, { groupsClaim }: UsersSettings): readonly string[] {
  const listed = groupsClaim === undefined ? undefined : claims[groupsClaim]
  if (listed === undefined) return []
  const expected = `a list of at most ${MAX_GROUPS} names`
  if (!Array.isArray(listed) || listed.length > MAX_GROUPS) {
    throw invalidClaim(groupsClaim ?? '', expected, listed)
  }
  return listed.map((name) => {
    if (typeof name === 'string' && name.length > 0 && name.length <= 256) return name
    throw invalidClaim(groupsClaim ?? '', expected, name)
  })
}

/** RFC 8693 §4.4: by our names, since workloads have no other here. Nobody else may act by such a token. */
function mayActOf({ may_act: mayAct }: JsonObject, issuer: string): string | null {
  if (mayAct === undefined) return null
  if (isObject(mayAct) && typeof mayAct['sub'] === 'string' && mayAct['sub'] !== '') {
    const { iss = issuer, sub } = mayAct
    if (iss === issuer) return sub
  }
  throw invalidClaim('may_act', 'an object with the sub of a workload, as we call it', mayAct)
}

/** A token that is bound to a key is worth something only with that key (RFC 7800). */
function confirmationOf({ cnf }: JsonObject): Confirmation | null {
  const confirmation = readConfirmation(cnf)
  if (confirmation === undefined) throw invalidClaim('cnf', 'one of jkt and x5t#S256', cnf)
  return confirmation
}
