/**
 * The input and the output of one decision. Primitives only, so that a recorded Question can be decided
 * again under any Generation: explain, what-if and replay are that one function.
 */

import type { Identity } from '../identity.ts'

/** What is asked of the broker (RFC 8693 for the last two). */
export type Operation = 'issue' | 'exchange' | 'delegate'

/** How a token is bound to its holder, weakest first: not at all, by DPoP (RFC 9449), by mTLS (RFC 8705). */
export const SENDERS = ['bearer', 'dpop', 'mtls'] as const
export type Sender = (typeof SENDERS)[number]

/** Whether a token bound by `offered` satisfies a demand: bearer < dpop < mtls. */
export function satisfies(offered: Sender, demanded: Sender): boolean {
  return SENDERS.indexOf(offered) >= SENDERS.indexOf(demanded)
}

/** How a token leaves, by how much it tells whoever sees it, most first: a JWT can be read, a sealed one cannot. */
export const FORMATS = ['jwt', 'opaque'] as const
export type Format = (typeof FORMATS)[number]

/** Whether a token of this format tells no more than one of the demanded format. */
export function discreet(offered: Format, demanded: Format): boolean {
  return FORMATS.indexOf(offered) >= FORMATS.indexOf(demanded)
}

/** Where an address is, as the operator's database says. */
export type Place = {
  /** ISO 3166-1 alpha-2, `DE`. */
  readonly country: string
  /** `AF`, `AN`, `AS`, `EU`, `NA`, `OC` or `SA`. */
  readonly continent: string
  /** The autonomous system that announces the address; null where unknown. */
  readonly asn: number | null
  /** When the oldest database that was asked was built, epoch seconds. */
  readonly builtAt: number
}

/** One party of a request with every fact known about it, never pruned. */
export type Party = Pick<Identity, 'kind' | 'trust' | 'uri' | 'principal' | 'ancestry' | 'facts'>

/**
 * Everything a decision depends on besides the Generation. Local time, calendars, groups and
 * environments are derived from the Generation inside `decide`, not recorded here.
 */
export type Question = {
  readonly version: 1
  /** The instant of the decision, epoch seconds. */
  readonly at: number
  /** The caller's address after the trusted-proxy rules; null when it is not an IP address. */
  readonly sourceIp: string | null
  /** Where that address is; null where nobody knows: private, unknown, or no database. */
  readonly place: Place | null
  readonly operation: Operation
  readonly audience: string
  /** Requested scopes, in the caller's order, without repeats. Empty asks for `issue`. */
  readonly scopes: readonly string[]
  /** The lifetime the token would have if no policy shortened it, seconds. */
  readonly requestedTtl: number
  readonly sender: Sender
  /** The current actor: the Cedar principal, always. */
  readonly actor: Party
  /** Canonical URI of the token's `sub`. */
  readonly subject: string
  /** The person that the actor acts for; null where there is none. */
  readonly user: Party | null
  /** Prior actors, newest first (RFC 8693 §4.1). */
  readonly chain: readonly string[]
  readonly delegationDepth: number
  /** Seconds since the actor's evidence was issued. */
  readonly attestationAge: number
}

/** How one scope (or `issue`) was ruled. */
export type Ruling = {
  /** The Cedar action asked for: a scope, or an operation: `issue`, `exchange`, `delegate`. */
  readonly action: string
  /**
   * - `permitted`: a permit matched, no forbid did, its obligations are met;
   * - `forbidden`: a forbid matched;
   * - `unmatched`: no permit matched;
   * - `not_offered`: the audience does not offer this scope;
   * - `sender_unmet`: permitted, but only for a token bound more strongly than this one;
   * - `failed`: a policy could not be evaluated, which denies.
   */
  readonly result:
    | 'permitted'
    | 'forbidden'
    | 'unmatched'
    | 'not_offered'
    | 'sender_unmet'
    | 'failed'
  /** Ids of the policies that decided, sorted. */
  readonly policies: readonly string[]
  /** Ids of the policies whose evaluation failed, sorted. */
  readonly failing: readonly string[]
  /**
   * How it would be ruled if the policies of mode `report` were enforced: the result, and the policies that
   * would decide or fail. Null where that is no different.
   */
  readonly report: Pick<Ruling, 'result' | 'policies'> | null
}

/** The judgement on one Question under one Generation. */
export type Decision = {
  /** Id of the Generation that judged. */
  readonly generation: string
  readonly rulings: readonly Ruling[]
  /** The permitted scopes, in the order asked. */
  readonly granted: readonly string[]
  /** Whether a token may be issued: some scope was granted, or `issue` was permitted; and the operation was, if it is another. */
  readonly permitted: boolean
  /** The strictest `@ttl` among the permits that granted something, seconds; null when none has one. */
  readonly ttl: number | null
  /** The strictest `@format` among the permits that granted something; null when none has one. */
  readonly format: Format | null
}
