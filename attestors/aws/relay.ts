/**
 * Evidence by a signed GetCallerIdentity (attestation by relay): the caller signs a request to STS for our audience
 * and challenge, we make the same request and ask STS who signed it.
 *
 * Such evidence names no issuer, so that it selects no entry. The region that it names selects one of the hosts in
 * the configuration, and STS there answers with account and role; only then is the entry of that account looked up.
 * Nothing unverified chooses who vouches: STS does for all accounts of its partition, over TLS to a host of ours.
 */

import type { Identity } from '../../src/identity.ts'
import { few, Refusal } from '../../src/refusal.ts'
import type { Relay, RelayEntry, RelayKind, RelayWorld } from '../../src/relay.ts'
import { epochSeconds, seconds } from '../../src/units.ts'
import { invalidClaim } from '../claims.ts'
import { signedFacts } from '../facts.ts'
import { parseSession, type SessionArn } from './arn.ts'
import { readCall, type SignedCall } from './call.ts'
import { REGIONS } from './regions.ts'
import type { AwsSettings, CallerIdentitySettings } from './settings.ts'
import { type Caller, type Sts, stsOf, type Way } from './sts.ts'

/** An entry that takes such evidence. */
type Entry = RelayEntry<AwsSettings> & { readonly takes: CallerIdentitySettings }

/** STS itself would take a signature for 15 minutes. */
const MAX_SKEW_SECONDS = 60
/** How long the signature would serve elsewhere; a token of ours does not outlive it. */
const LIFETIME_SECONDS = seconds('15m')

/** IAM gives this name to roles below aws-reserved/sso.amazonaws.com/, and to no other; the path is not in the answer. */
const RESERVED = 'AWSReservedSSO_'

/** The id of a role, which a role that is made anew under the same name does not have, and the session. */
const USER_ID = /^(AROA[A-Z0-9]{12,124}):([A-Za-z0-9_+=,.@-]{2,64})$/

export const callerIdentity: RelayKind<AwsSettings> = {
  format: 'aws-caller-identity',
  create(all, world) {
    const entries = all.flatMap((entry) => {
      const takes = entry.settings.callerIdentity
      return takes === undefined ? [] : [{ ...entry, takes }]
    })
    return entries.length === 0 ? null : relayOf(entries, world)
  },
}

function relayOf(entries: readonly Entry[], world: RelayWorld): Relay {
  const regions = new Map<string, Sts>()
  for (const name of new Set(entries.flatMap(({ takes }) => takes.regions))) {
    const region = REGIONS.get(name)
    if (region === undefined) throw new Error(`${name} is no region of AWS`)
    regions.set(name, stsOf(name, region, wayTo(name, entries), world))
  }

  /** What costs nothing, in the order of its price. @returns when the challenge ends */
  function screen({ signedAt, nonce }: SignedCall, nowSeconds: number): number {
    const ageSeconds = nowSeconds - signedAt
    const detail = { ageSeconds, toleratedSeconds: MAX_SKEW_SECONDS }
    if (ageSeconds > MAX_SKEW_SECONDS) throw new Refusal('token_stale', detail)
    if (ageSeconds < -MAX_SKEW_SECONDS) throw new Refusal('token_premature', detail)
    return world.challengeEnd(nonce, nowSeconds)
  }

  return {
    async prepare(value, nowSeconds) {
      const call = readCall(value)
      const sts = regions.get(call.region)
      if (sts === undefined) {
        const detail = { claim: 'region', expected: few(regions.keys()), found: call.region }
        throw new Refusal('subject_untrusted', detail)
      }
      screen(call, nowSeconds)
      const caller = await sts(call)
      const answeredAt = epochSeconds(world.now())
      const session = parseSession(caller.arn, 'Arn')
      const { trust } = entryOf(entries, caller, session, call.region).common
      return {
        trust,
        verify(now) {
          const expiresAt = screen(call, now)
          const challenges = [{ challenge: call.nonce, expiresAt }]
          return { ...identityOf(trust, call, caller, session, answeredAt), challenges }
        },
      }
    },
  }
}

/** @throws Error where entries of one region want it reached in different ways: it is the same host for both */
function wayTo(region: string, entries: readonly Entry[]): Way {
  const listing = entries.filter(({ takes }) => takes.regions.includes(region))
  const [first, ...others] = listing.map(({ takes: { ca, allowPrivate = false } }) => ({
    ca,
    allowPrivate,
  }))
  if (others.some((way) => way.ca !== first?.ca || way.allowPrivate !== first?.allowPrivate)) {
    const names = listing.map(({ common }) => common.trust).join(', ')
    throw new Error(`${names}: callerIdentity needs the same ca and allowPrivate for ${region}`)
  }
  return first ?? {}
}

/**
 * The entry of the account that STS named.
 * @throws Refusal `subject_mismatched`, `subject_untrusted`, `token_personal`
 */
function entryOf(
  entries: readonly Entry[],
  { account }: Caller,
  session: SessionArn,
  region: string,
): Entry {
  if (account !== session.account) {
    const detail = { member: 'Account', expected: session.account, found: account }
    throw new Refusal('subject_mismatched', detail)
  }
  const { partition } = session
  if (partition !== REGIONS.get(region)?.partition) {
    const expected = REGIONS.get(region)?.partition ?? null
    throw new Refusal('subject_mismatched', { member: 'partition', expected, found: partition })
  }
  // By account and partition, never by the role's name alone (CVE-2025-11621).
  const entry = entries.find(
    ({ settings }) => settings.account === account && (settings.partition ?? 'aws') === partition,
  )
  if (entry === undefined) {
    const detail = { claim: 'Account', expected: few(accountsOf(entries)), found: account }
    throw new Refusal('subject_untrusted', detail)
  }
  if (!entry.takes.regions.includes(region)) {
    const detail = { claim: 'region', expected: few(entry.takes.regions), found: region }
    throw new Refusal('subject_untrusted', detail)
  }
  if (session.name.startsWith(RESERVED) && entry.settings.reservedRoles !== 'allowed') {
    const hint = 'IAM Identity Center gives this role to people'
    throw new Refusal('token_personal', { found: session.name, hint })
  }
  return entry
}

function accountsOf(entries: readonly Entry[]): readonly string[] {
  return entries.map(({ settings }) => settings.account)
}

/** @throws Refusal `claim_invalid`, `subject_mismatched` */
function identityOf(
  trust: string,
  call: SignedCall,
  { userId }: Caller,
  session: SessionArn,
  answeredAt: number,
): Identity {
  const [, uniqueId, sessionName] = USER_ID.exec(userId) ?? []
  if (uniqueId === undefined) throw invalidClaim('UserId', 'AROA…:<session>', userId)
  if (sessionName !== session.session) {
    const detail = { member: 'UserId', expected: session.session, found: userId }
    throw new Refusal('subject_mismatched', detail)
  }
  const { partition, account, name } = session
  return {
    kind: 'aws',
    trust,
    uri: `aws://${partition}/${account}/role/${name}`,
    principal: { type: 'AwsRole', id: `${account}/${name}` },
    ancestry: [],
    facts: {
      // No `arn`: STS leaves the role's path out, and an ARN without it would be that of another role.
      ...signedFacts({ account, partition, role: name, uniqueId }, answeredAt, 'B', 'sts'),
      ...signedFacts({ sessionName }, answeredAt, 'D', 'sts'),
    },
    issuedAt: call.signedAt,
    expiresAt: call.signedAt + LIFETIME_SECONDS,
    replay: { policy: 'once', key: call.signature },
    lineage: [`aws-role:${account}/${name}`],
  }
}
