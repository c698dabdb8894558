/**
 * The profile of a web identity token (STS GetWebIdentityToken). What STS signs, on an EC2 instance:
 *
 *     {"aud":"…","iss":"https://<uuid>.tokens.sts.global.api.aws","iat":…,"exp":…,"jti":"…",
 *      "sub":"arn:aws:iam::123456789012:role/team/settlement",
 *      "https://sts.amazonaws.com/":{"aws_account":"123456789012","source_region":"eu-central-1",
 *        "principal_id":"arn:aws:iam::123456789012:role/team/settlement","org_id":"o-…","ou_path":["o-…/r-…/ou-…/"],
 *        "ec2_source_instance_arn":"arn:aws:ec2:…:instance/i-…","ec2_role_delivery":"2.0",
 *        "principal_tags":{"team":"payments"},"request_tags":{…}}}
 *
 * `sub` names the role, never a session: which instance or function asks is in the claims about its source.
 * No I/O. No clock.
 */

import type { Identity, TrustCommon } from '../../src/identity.ts'
import { isObject, type JsonObject } from '../../src/net/json.ts'
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
import { formatRole, parseRole, type RoleArn } from './arn.ts'
import { type AwsSettings, DEFAULT_MAX_AGE, DEFAULT_MAX_LIFETIME } from './settings.ts'
import { readSource, type Source } from './source.ts'

const PRIVATE = 'https://sts.amazonaws.com/'
const RESERVED = '/aws-reserved/'

const JTI: TextForm = { form: /^[!-~]{1,128}$/, said: 'at most 128 printable characters' }
const INSTANT: TextForm = {
  form: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/,
  said: 'an instant of RFC 3339',
}

/** The checks of one account. */
export function webIdentity(settings: AwsSettings, common: TrustCommon): JwtProfile {
  const { issuer, account } = settings
  const partition = settings.partition ?? 'aws'
  const maxLifetimeSeconds = seconds(settings.maxLifetime ?? DEFAULT_MAX_LIFETIME)
  const maxAgeSeconds = seconds(settings.maxAge ?? DEFAULT_MAX_AGE)
  const hint = `call GetWebIdentityToken with Audience [${common.audience}]`

  function screen(claims: JsonObject, nowSeconds: number): Window {
    checkIssuer(claims, issuer)
    checkAudience(claims, [common.audience], hint)
    const window = checkWindow(claims, nowSeconds, maxLifetimeSeconds)
    const ageSeconds = nowSeconds - window.issuedAt
    if (ageSeconds > maxAgeSeconds) throw new Refusal('token_stale', { ageSeconds, maxAgeSeconds })
    return window
  }

  function readRole(claims: JsonObject, own: JsonObject): RoleArn {
    const role = parseRole(claims['sub'], 'sub')
    equal('aws_account', account, own['aws_account'])
    equal('the account in sub', account, role.account)
    equal('the partition in sub', partition, role.partition)
    if ('principal_id' in own) equal('principal_id', formatRole(role), own['principal_id'])
    if (role.path.startsWith(RESERVED) && settings.reservedRoles !== 'allowed') {
      const why = 'IAM Identity Center gives this role to people'
      throw new Refusal('token_personal', { found: formatRole(role), hint: why })
    }
    return role
  }

  return {
    screen: ({ claims }, nowSeconds) => void screen(claims, nowSeconds),
    identify({ claims }, nowSeconds) {
      const window = screen(claims, nowSeconds)
      const own = claims[PRIVATE]
      if (!isObject(own)) throw invalidClaim(PRIVATE, 'an object', own)
      const role = readRole(claims, own)
      const source = readSource(own, role)
      admit(settings, source)
      const jti = textOf(claims['jti'], JTI, 'jti')
      const expiresAt = endOf(own, window, nowSeconds)
      return identity(common.trust, role, source, { ...window, expiresAt }, jti)
    },
  }
}

function equal(member: string, expected: string, found: unknown): void {
  if (found === expected) return
  throw new Refusal('subject_mismatched', { member, expected, found: printable(found) })
}

/** @throws Refusal `subject_untrusted` for an account outside the organization or units of the settings */
function admit({ organization, organizationPaths }: AwsSettings, source: Source): void {
  const { organization: found, organizationPath: units = [] } = source.signed
  if (organization !== undefined && found !== organization) {
    const detail = { expected: organization, found: printable(found) }
    throw new Refusal('subject_untrusted', { claim: 'org_id', ...detail })
  }
  if (organizationPaths === undefined) return
  // `units` holds every unit above the account, so one of them is the configured one or none is.
  const isBelow = organizationPaths.some((path) => units.includes(path.replace(/\/?$/, '/')))
  if (isBelow) return
  const detail = { expected: organizationPaths, found: units }
  throw new Refusal('subject_untrusted', { claim: 'ou_path', ...detail })
}

/** The token's end, or that of the session that asked for it, whichever is first. */
function endOf(own: JsonObject, { expiresAt }: Window, nowSeconds: number): number {
  const claim = 'original_session_exp'
  if (!(claim in own)) return expiresAt
  const sessionEndsAt = Math.floor(Date.parse(textOf(own[claim], INSTANT, claim)) / 1000)
  if (Number.isNaN(sessionEndsAt)) throw invalidClaim(claim, INSTANT.said, own[claim])
  if (nowSeconds >= sessionEndsAt) {
    throw new Refusal('token_expired', { claim, secondsAgo: nowSeconds - sessionEndsAt })
  }
  return Math.min(expiresAt, sessionEndsAt)
}

function identity(
  trust: string,
  role: RoleArn,
  source: Source,
  window: Window,
  jti: string,
): Identity {
  const { partition, account, name } = role
  const arn = formatRole(role)
  return {
    kind: 'aws',
    trust,
    uri: `aws://${partition}/${account}/role/${name}`,
    principal: { type: 'AwsRole', id: `${account}/${name}` },
    ancestry: [],
    facts: {
      ...signedFacts({ account, partition, role: name, arn, ...source.signed }, window.issuedAt),
      ...signedFacts(source.chosen, window.issuedAt, 'D'),
    },
    ...window,
    replay: { policy: 'once', key: jti },
    lineage: [`aws-role:${account}/${name}`, ...source.lineage],
  }
}
