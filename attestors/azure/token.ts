/**
 * The profile of an access token of a managed identity for our own app registration. What Entra signs (v2):
 *
 *     {"aud":"6e74172b-…","iss":"https://login.microsoftonline.com/<tid>/v2.0","iat":…,"nbf":…,"exp":…,
 *      "azp":"<client id>","azpacr":"2","idtyp":"app","oid":"<object id>","sub":"<the same>","tid":"<tid>",
 *      "roles":["Countersign.Exchange"],"uti":"…","ver":"2.0"}
 *
 * In v1 the issuer is `https://sts.windows.net/<tid>/`, `azp` is `appid`, `azpacr` is `appidacr`, `ver` is "1.0".
 * One key set signs for every tenant of a cloud: issuer and `tid` are the whole separation (CVE-2025-55241).
 * No I/O. No clock.
 */

import type { Identity } from '../../src/identity.ts'
import type { JsonObject } from '../../src/net/json.ts'
import { digestOf, soleAudience, type UnverifiedJwt } from '../../src/net/jwt.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { seconds } from '../../src/units.ts'
import {
  checkAudience,
  checkIssuer,
  checkWindow,
  invalidClaim,
  optionalText,
  type TextForm,
  textOf,
  type Window,
} from '../claims.ts'
import { signedFacts } from '../facts.ts'
import type { JwtProfile } from '../jwt.ts'
import { firstParty } from './firstparty.ts'
import { type AzureSettings, DEFAULT_MAX_LIFETIME, issuersFor } from './settings.ts'

const UUID: TextForm = {
  form: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  said: 'a UUID in lower case',
}
const UTI: TextForm = { form: /^[!-~]{1,128}$/, said: 'at most 128 printable characters' }

/** Where each version of token keeps what is the same in both. */
const VERSIONS = {
  v1: { ver: '1.0', application: 'appid', method: 'appidacr' },
  v2: { ver: '2.0', application: 'azp', method: 'azpacr' },
} as const

/** How an application proved itself to Entra: by certificate or federation, which managed identities do. */
const WITHOUT_SECRET = '2'

type Workload = {
  readonly objectId: string
  readonly applicationId: string
  readonly roles: readonly string[] | undefined
}

/** The checks of one tenant. */
export function accessToken(settings: AzureSettings, trust: string): JwtProfile {
  const { tenant, audiences } = settings
  const issuers = issuersFor(settings)
  const hint = `ask for a token with resource=${audiences[0] ?? ''}`
  const maxLifetimeSeconds = seconds(settings.maxLifetime ?? DEFAULT_MAX_LIFETIME)

  function screen({ header, claims }: UnverifiedJwt, nowSeconds: number): Window {
    if (claims['iss'] !== issuers.v1) checkIssuer(claims, issuers.v2)
    refuseForeign(header, claims, audiences)
    refusePeople(claims)
    checkAudience(claims, audiences, hint)
    return checkWindow(claims, nowSeconds, maxLifetimeSeconds)
  }

  return {
    screen: (jwt, nowSeconds) => void screen(jwt, nowSeconds),
    identify(jwt, nowSeconds) {
      const { claims } = jwt
      const window = screen(jwt, nowSeconds)
      equal(claims, 'tid', tenant)
      const workload = readWorkload(claims, claims['iss'] === issuers.v1 ? 'v1' : 'v2')
      admit(settings.roles, workload)
      const key = optionalText(claims['uti'], UTI, 'uti') ?? digestOf(jwt)
      return identity(trust, tenant, workload, window, key)
    },
  }
}

/** Tokens of the same issuer for services of Microsoft; they lie about on the same machines. */
function refuseForeign(header: JsonObject, claims: JsonObject, own: readonly string[]): void {
  const audience = soleAudience(claims) ?? ''
  // The header of a Graph token is changed after it is signed, so that nobody but Graph can verify it.
  const isGraph = 'nonce' in header
  if (own.includes(audience) && !isGraph) return
  const owner = isGraph ? 'Microsoft Graph' : firstParty(audience)
  if (owner === undefined) return
  const why = 'showing it elsewhere gives that access away'
  throw new Refusal('token_foreign', {
    found: printable(claims['aud']),
    hint: `this token is for ${owner}; ${why}`,
  })
}

/** A token that a person's sign-in made: delegated scopes, or the claims of an ID token. */
function refusePeople(claims: JsonObject): void {
  const sign = ['scp', 'upn', 'unique_name', 'preferred_username'].find((name) => name in claims)
  const { idtyp } = claims
  if (sign === undefined && idtyp !== 'user') return
  const found = sign ?? 'idtyp user'
  throw new Refusal('token_personal', { found, hint: 'show the token of a managed identity' })
}

function readWorkload(claims: JsonObject, version: keyof typeof VERSIONS): Workload {
  const { ver, application, method } = VERSIONS[version]
  if (claims['ver'] !== ver) throw invalidClaim('ver', `${ver}, as the issuer`, claims['ver'])
  const { idtyp, roles } = claims
  if (idtyp !== undefined && idtyp !== 'app') throw invalidClaim('idtyp', 'app', idtyp)
  const objectId = textOf(claims['oid'], UUID, 'oid')
  // The `sub` of an application is its object; that of a person is another for each application.
  equal(claims, 'sub', objectId)
  if (claims[method] !== WITHOUT_SECRET) {
    const expected = `${WITHOUT_SECRET}: no client secret, as for managed identities`
    throw invalidClaim(method, expected, claims[method])
  }
  if (roles !== undefined && !(Array.isArray(roles) && roles.every(isText))) {
    throw invalidClaim('roles', 'a list of strings', roles)
  }
  return { objectId, applicationId: textOf(claims[application], UUID, application), roles }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function equal(claims: JsonObject, member: string, expected: string): void {
  const found = claims[member]
  if (found === expected) return
  throw new Refusal('subject_mismatched', { member, expected, found: printable(found) })
}

function admit(needed: readonly string[] | undefined, { roles = [] }: Workload): void {
  if (needed === undefined || needed.some((role) => roles.includes(role))) return
  throw new Refusal('subject_untrusted', { claim: 'roles', expected: needed, found: [...roles] })
}

function identity(
  trust: string,
  tenant: string,
  { objectId, applicationId, roles }: Workload,
  window: Window,
  key: string,
): Identity {
  return {
    kind: 'azure',
    trust,
    uri: `azure://${tenant}/sp/${objectId}`,
    principal: { type: 'AzureIdentity', id: `${tenant}/${objectId}` },
    ancestry: [],
    facts: signedFacts({ tenant, objectId, applicationId, roles }, window.issuedAt),
    ...window,
    // The platform keeps one token for up to a day and cannot be made to mint another.
    replay: { policy: 'reusable', key },
    lineage: [`azure-sp:${tenant}/${objectId}`],
  }
}
