/**
 * The profile of a Google identity token. What Google signs for a virtual machine (`format=full`):
 *
 *     {"iss":"https://accounts.google.com","aud":"…","azp":"1174…","sub":"1174…","iat":…,"exp":…,
 *      "email":"settle@acme-prod.iam.gserviceaccount.com","email_verified":true,
 *      "google":{"compute_engine":{"project_id":"acme-prod","project_number":739419398126,"zone":"europe-west3-a",
 *        "instance_id":"8087716956832600000","instance_name":"settle-1","instance_creation_timestamp":…}}}
 *
 * Elsewhere (Cloud Run, GKE, impersonation) there is no `google`. The same issuer and keys sign for every Google user.
 * No I/O. No clock.
 */

import type { Identity, TrustCommon } from '../../src/identity.ts'
import type { JsonObject } from '../../src/net/json.ts'
import { digestOf } from '../../src/net/jwt.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { seconds } from '../../src/units.ts'
import {
  checkAudience,
  checkIssuer,
  checkWindow,
  invalidClaim,
  type TextForm,
  textOf,
  type Window,
} from '../claims.ts'
import { signedFacts } from '../facts.ts'
import type { JwtProfile } from '../jwt.ts'
import { type Instance, readInstance } from './instance.ts'
import { DEFAULT_MAX_LIFETIME, type GcpSettings, ISSUER } from './settings.ts'

const UNIQUE_ID: TextForm = { form: /^[0-9]{10,30}$/, said: 'the unique id of a service account' }
const EMAIL: TextForm = {
  form: /^[a-z0-9][a-z0-9.-]{0,99}@[a-z0-9.-]{1,150}\.gserviceaccount\.com$/,
  said: 'the e-mail address of a service account',
}

/** Client ids of OAuth applications: what people sign in to. */
const APPLICATION = '.apps.googleusercontent.com'

type Account = { readonly uniqueId: string; readonly email: string | undefined }

/** The checks of one entry. */
export function identityToken(settings: GcpSettings, { trust, audience }: TrustCommon): JwtProfile {
  const maxLifetimeSeconds = seconds(settings.maxLifetime ?? DEFAULT_MAX_LIFETIME)
  const hint = `ask the metadata server for an identity token with audience=${audience}&format=full`

  function screen(claims: JsonObject, nowSeconds: number): Window {
    checkIssuer(claims, ISSUER)
    refusePeople(claims)
    checkAudience(claims, [audience], hint)
    return checkWindow(claims, nowSeconds, maxLifetimeSeconds)
  }

  return {
    screen: ({ claims }, nowSeconds) => void screen(claims, nowSeconds),
    identify(jwt, nowSeconds) {
      const { claims } = jwt
      const window = screen(claims, nowSeconds)
      const account = readAccount(claims)
      const instance = readInstance(claims)
      admit(settings, account, instance)
      return identity(trust, account, instance, window, digestOf(jwt))
    },
  }
}

/** An ID token of a person has the same issuer, keys and form of `sub` as that of a service account. */
function refusePeople(claims: JsonObject): void {
  const { email, azp, hd } = claims
  const isPerson =
    hd !== undefined ||
    (typeof azp === 'string' && azp.endsWith(APPLICATION)) ||
    (typeof email === 'string' && !email.endsWith('.gserviceaccount.com'))
  if (!isPerson) return
  const found = printable(email ?? azp)
  throw new Refusal('token_personal', { found, hint: 'show the token of a service account' })
}

function readAccount(claims: JsonObject): Account {
  const { email_verified: isVerified, azp } = claims
  const uniqueId = textOf(claims['sub'], UNIQUE_ID, 'sub')
  const email = claims['email'] === undefined ? undefined : textOf(claims['email'], EMAIL, 'email')
  if (email !== undefined && isVerified !== true) {
    throw invalidClaim('email_verified', 'true', isVerified)
  }
  // A service account asks for itself; whoever asks on behalf of another is the `azp`.
  if (azp !== uniqueId && (email === undefined || azp !== email)) {
    const expected = email === undefined ? uniqueId : `${uniqueId} or ${email}`
    throw new Refusal('subject_mismatched', { member: 'azp', expected, found: printable(azp) })
  }
  return { uniqueId, email }
}

/** @throws Refusal `subject_untrusted` for what the lists of the entry do not name */
function admit(
  { serviceAccounts, projects }: GcpSettings,
  { uniqueId, email }: Account,
  instance: Instance | null,
): void {
  const isListed = serviceAccounts?.some((listed) => listed === uniqueId || listed === email)
  if (isListed === false) {
    const found = email === undefined ? [uniqueId] : [uniqueId, email]
    throw new Refusal('subject_untrusted', { list: 'serviceAccounts', found })
  }
  if (projects === undefined) return
  if (instance === null) {
    const why = 'projects takes only tokens of virtual machines, asked for with format=full'
    throw new Refusal('token_unbound', { missing: 'google.compute_engine', hint: why })
  }
  const found = [instance.projectNumber, instance.project]
  if (!projects.some((listed) => found.includes(listed))) {
    throw new Refusal('subject_untrusted', { list: 'projects', found })
  }
}

function identity(
  trust: string,
  { uniqueId, email }: Account,
  instance: Instance | null,
  window: Window,
  digest: string,
): Identity {
  return {
    kind: 'gcp',
    trust,
    uri: `gcp://sa/${uniqueId}`,
    principal: { type: 'GcpServiceAccount', id: uniqueId },
    ancestry: [],
    facts: signedFacts({ uniqueId, email, ...instance?.facts }, window.issuedAt),
    ...window,
    // The metadata server hands out one token for most of an hour, and there is no `jti`.
    replay: { policy: 'reusable', key: digest },
    lineage: [`gcp-sa:${uniqueId}`, ...(instance ? [instance.lineage] : [])],
  }
}
