/**
 * What a caller may ask for by somebody's authority: the rules of narrowing, before any policy is asked. Who may use a
 * token at all; whether it is an exchange or a delegation; which scopes can come of it; how deep the chain becomes.
 * Pure: no I/O, no clock.
 */

import { type Act, type Authority, actorsOf, type Profile } from './authority.ts'
import type { ResourceConfig } from './config/resources.ts'
import type { ResourceRules } from './grant.ts'
import type { Identity } from './identity.ts'
import type { Operation } from './policy/question.ts'
import { satisfies } from './policy/question.ts'
import { type Held, proves, senderOf } from './possession.ts'
import { few, printable, Refusal } from './refusal.ts'

/** What the configuration says of delegation. */
export type DelegationRules = {
  /** Our issuer identifier: the namespace of the actors that we name. */
  readonly issuer: string
  /** The most actors that a chain may have. */
  readonly maxDepth: number
  /** What a workload is, in tokens. */
  readonly profileOf: (actor: Identity) => Profile
  /** The workloads behind an audience. */
  readonly servedBy: (audience: string) => readonly string[]
}

/** Who asks, for what. */
export type Asking = {
  readonly identity: Identity
  readonly held: Held
  readonly resource: ResourceRules &
    Pick<ResourceConfig, 'from'> & {
      /** Whether it takes no authority whose scopes nobody knows. Left out: policies alone bound such a one. */
      readonly knownOnly?: boolean
    }
  /** Requested scopes; empty for all that there are. */
  readonly scopes: readonly string[]
  /** The workload that the caller lets act by its token; null for nobody. */
  readonly mayAct: string | null
}

/** What may be asked of the policies. */
export type Mandate = {
  readonly operation: Operation
  /** Canonical URI of the token's `sub`. */
  readonly subject: string
  /** The chain that the token will carry; null without delegation. */
  readonly act: Act | null
  /** Prior actors, newest first. */
  readonly chain: readonly string[]
  readonly scopes: readonly string[]
  /** Who may act by the token besides its holder. That of a subject token is never copied (RFC 8693 §4.4). */
  readonly mayAct: string | null
}

/** A workload that asks for itself. */
export function ownMandate({ identity, scopes, mayAct }: Asking): Mandate {
  return { operation: 'issue', subject: identity.uri, act: null, chain: [], scopes, mayAct }
}

/**
 * A workload that asks by the authority of a subject token.
 *
 * @throws Refusal `subject_unusable`, `sender_weakened`, `chain_too_deep`, `target_unreachable`, `scope_exceeded`;
 *   `parameter_missing` where a token without scopes of ours comes without `scope`
 */
export function mandateOf(authority: Authority, asking: Asking, rules: DelegationRules): Mandate {
  const { identity, held } = asking
  insistOnUse(authority, asking, rules)
  const current = currentOf(authority, rules)
  const prior = actorsOf(authority.act).map(({ sub }) => sub)
  const same = identity.uri === current
  const act = same ? authority.act : actorOf(identity, authority.act, rules)
  const depth = actorsOf(act).length
  if (depth > rules.maxDepth) {
    throw new Refusal('chain_too_deep', { depth, limit: rules.maxDepth })
  }
  keepBinding(authority.confirmation, held)
  // Only a token of ours shows that the policies were asked about acting for this subject.
  const again = same && authority.use.by === 'holder'
  return {
    operation: again ? 'exchange' : 'delegate',
    subject: authority.subject,
    act,
    chain: same ? prior.slice(1) : prior,
    scopes: scopesWithin(authority, asking),
    mayAct: asking.mayAct,
  }
}

/** Who acts now, by our names. An actor that another issuer names is nobody whom we know, whatever its name says. */
function currentOf({ act, subject }: Authority, { issuer }: DelegationRules): string | null {
  if (act === null) return subject
  return act.iss === issuer ? act.sub : null
}

/**
 * Seeing a token is no right to use it: our own are for their holder, for the workload behind their audience, which
 * was given it, and for whom `may_act` names.
 */
function insistOnUse(
  { use, of, confirmation }: Authority,
  { identity, held, resource }: Asking,
  { servedBy }: DelegationRules,
): void {
  if (use.by !== 'holder') {
    if (use.mayAct !== null && use.mayAct !== identity.uri) {
      throw new Refusal('subject_unusable', { caller: identity.uri, mayAct: printable(use.mayAct) })
    }
    if (!proves(held, confirmation)) {
      throw new Refusal('subject_unusable', {
        problem: 'it is bound to a key that is not proved here',
      })
    }
    if (use.by === 'client') insistOnGrant({ use, of }, identity.uri, resource.audience)
    return
  }
  const isNamed = use.mayAct === identity.uri
  const isServed = of !== null && servedBy(of.audience).includes(identity.uri)
  const isHeld = confirmation === null ? use.holder === identity.uri : proves(held, confirmation)
  if (isHeld || isServed || isNamed) return
  throw new Refusal('subject_unusable', {
    caller: identity.uri,
    holder: use.holder,
    bound: confirmation !== null,
    mayAct: use.mayAct,
    servedBy: of === null ? [] : few(servedBy(of.audience)),
  })
}

/** An ID-JAG is for one client at one resource (draft-ietf-oauth-identity-assertion-authz-grant §4.4.1). */
function insistOnGrant(
  { use, of }: { use: { readonly client: string }; of: Authority['of'] },
  caller: string,
  audience: string,
): void {
  if (use.client === caller && of?.audience === audience) return
  throw new Refusal('subject_unusable', {
    caller,
    client: printable(use.client),
    audience,
    resource: printable(of?.audience),
  })
}

/** The caller becomes the current actor; who acted before stays as it came (RFC 8693 §4.1). */
function actorOf(identity: Identity, prior: Act | null, rules: DelegationRules): Act {
  return {
    iss: rules.issuer,
    sub: identity.uri,
    sub_profile: rules.profileOf(identity),
    ...(prior !== null && { act: prior }),
  }
}

/** A token that only its holder could use does not become one that anybody can. */
function keepBinding(confirmation: Authority['confirmation'], held: Held): void {
  const demanded = senderOf(confirmation)
  if (satisfies(held.sender, demanded)) return
  throw new Refusal('sender_weakened', { found: held.sender, expected: demanded })
}

/** Which of the asked scopes the authority can become at this resource. */
function scopesWithin({ of }: Authority, { resource, scopes }: Asking): readonly string[] {
  if (of === null) {
    // Else a token that says nothing of scopes would mean all of them.
    if (scopes.length === 0) throw new Refusal('parameter_missing', { parameter: 'scope' })
    if (resource.knownOnly !== true) return scopes
    throw new Refusal('scope_exceeded', { found: few(scopes.map(printable)), within: [] })
  }
  const reachable = of.audience === resource.audience ? of.scopes : imageOf(of, resource)
  const within = scopes.length === 0 ? reachable : scopes.filter((each) => reachable.includes(each))
  // A token without scopes may stay one, where it was good; it opens nothing elsewhere.
  const bare = scopes.length === 0 && of.audience === resource.audience
  if (within.length === 0 && !bare) {
    throw new Refusal('scope_exceeded', {
      found: few(scopes.map(printable)),
      within: few(reachable),
    })
  }
  return within
}

/** What the scopes of one audience may become at another, as the configuration says; nothing without it. */
function imageOf(
  { audience, scopes }: NonNullable<Authority['of']>,
  resource: Asking['resource'],
): readonly string[] {
  const map = Object.hasOwn(resource.from, audience) ? resource.from[audience] : undefined
  if (map === undefined) {
    throw new Refusal('target_unreachable', { from: audience, to: resource.audience })
  }
  return [...new Set(scopes.flatMap((each) => (Object.hasOwn(map, each) ? (map[each] ?? []) : [])))]
}
