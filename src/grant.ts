/**
 * What is about to be signed. A Grant only narrows: it holds no scope that its Decision did not grant and
 * ends no later than its evidence. Pure: no I/O, no clock.
 */

import type { Act, Authority } from './authority.ts'
import type { ResourceConfig } from './config/resources.ts'
import type { Fact, Facts, Identity } from './identity.ts'
import { lineageOf } from './lineage.ts'
import type { Mandate } from './mandate.ts'
import {
  type Decision,
  discreet,
  type Format,
  type Party,
  type Question,
  satisfies,
} from './policy/question.ts'
import type { Confirmation, Held } from './possession.ts'
import { Refusal } from './refusal.ts'

/** What a resource asks of every token for it. */
export type ResourceRules = Pick<
  ResourceConfig,
  'audience' | 'maxTtlSeconds' | 'sender' | 'format' | 'claims'
>

/** What has been found out about a request. */
export type Found = {
  readonly identity: Identity
  /** Whose authority it is; null for the workload's own. */
  readonly authority: Authority | null
  readonly held: Held
  readonly resource: ResourceRules
  readonly mandate: Mandate
}

/** What a receipt says of a hop besides the rest of its Grant. */
export type Hop = {
  /** Who vouched for the authority. */
  readonly by: string
  /** The id of the policies that permitted it. */
  readonly generation: string
  /** What of ours the authority was for. */
  readonly of: Authority['of']
  /** The receipts of the hops before. */
  readonly receipts: readonly string[]
}

/** The claims of one access token, before they have their wire names. Times in epoch seconds. */
export type Grant = {
  readonly subject: string
  readonly clientId: string
  readonly audience: string
  readonly scopes: readonly string[]
  readonly issuedAt: number
  readonly expiresAt: number
  /** The key that its holder has to prove (RFC 7800 `cnf`); null for a bearer token. */
  readonly confirmation: Confirmation | null
  /** Whether it leaves as a JWT or sealed. */
  readonly format: Format
  readonly lineage: readonly string[]
  /** The hop that an authority takes by it; null where nothing is handed on. */
  readonly hop: Hop | null
  /** Who acts, and who acted before; null without delegation. */
  readonly act: Act | null
  /** The workload that may act by it; null for nobody. */
  readonly mayAct: string | null
  /** The person whom the chain acts for; null where there is none. */
  readonly user: Party | null
  readonly claims: Readonly<Record<string, Fact['value']>>
}

/** The lifetime a token would have if no policy shortened it, seconds; 0 or less when what it rests on is over. */
export function offeredTtl(
  { identity, authority, resource }: Pick<Found, 'identity' | 'authority' | 'resource'>,
  now: number,
): number {
  const ends = Math.min(identity.expiresAt, authority?.expiresAt ?? Number.POSITIVE_INFINITY)
  return Math.min(resource.maxTtlSeconds, ends - now)
}

/**
 * Narrows a permitted Question to what its Decision allows.
 *
 * @throws Refusal `policy_denied` or `policy_failed` when the Decision permits nothing, `sender_unbound` when the
 *   resource takes only tokens that are bound more strongly than this one would be
 */
export function narrow(
  question: Question,
  decision: Decision,
  { identity, authority, held, resource, mandate }: Found,
): Grant {
  if (!decision.permitted) {
    const failed = decision.rulings.some((ruling) => ruling.result === 'failed')
    throw new Refusal(failed ? 'policy_failed' : 'policy_denied', {
      generation: decision.generation,
      rulings: decision.rulings.map((ruling) => `${ruling.action}: ${ruling.result}`),
    })
  }
  if (!satisfies(question.sender, resource.sender)) {
    throw new Refusal('sender_unbound', { found: question.sender, expected: resource.sender })
  }
  const ttl = Math.min(question.requestedTtl, decision.ttl ?? question.requestedTtl)
  return {
    subject: question.subject,
    clientId: question.actor.uri,
    audience: question.audience,
    // INVARIANT: a subset of what was asked, whatever the decision says.
    scopes: question.scopes.filter((scope) => decision.granted.includes(scope)),
    issuedAt: question.at,
    expiresAt: question.at + ttl,
    confirmation: held.confirmation,
    lineage: [...new Set([...lineageOf(identity), ...(authority?.lineage ?? [])])],
    act: mandate.act,
    hop:
      authority === null
        ? null
        : {
            by: authority.by,
            of: authority.of,
            generation: decision.generation,
            receipts: authority.receipts,
          },
    mayAct: mandate.mayAct,
    user: question.user,
    format: narrowest(resource.format, decision.format),
    claims: claimsFrom(resource.claims, identity),
  }
}

/** Sealed where either demands it. */
function narrowest(resource: Format, decided: Format | null): Format {
  return decided !== null && discreet(decided, resource) ? decided : resource
}

function claimsFrom(rules: ResourceRules['claims'], identity: Identity): Grant['claims'] {
  const claims: Record<string, Fact['value']> = {}
  for (const [claim, rule] of Object.entries(rules)) {
    const fact = factOf(identity.facts, rule.fact)
    // Grades are letters from the strongest, A, on. A fact that is absent or too weak gives no claim.
    if (fact !== undefined && fact.grade <= rule.grade) claims[claim] = fact.value
  }
  return claims
}

/** A fact by its name; or one of a set of labels by its key: `namespaceLabels.team` in `["team=payments"]`. */
function factOf(facts: Facts, name: string): Fact | undefined {
  const dot = name.indexOf('.')
  const labels = facts[name.slice(0, dot)]
  if (facts[name] !== undefined || typeof labels?.value !== 'object') return facts[name]
  const prefix = `${name.slice(dot + 1)}=`
  const label = labels.value.find((each) => each.startsWith(prefix))
  return label === undefined ? undefined : { ...labels, value: label.slice(prefix.length) }
}
