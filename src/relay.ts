/**
 * The contracts of first evidence that is no JWT: what a trust entry judges by itself, such as a chain of certificates,
 * and what only its platform can judge (relays), such as a signed request to it. Types only.
 */

import type { AttestorWorld, Prepared, TrustCommon } from './identity.ts'

/**
 * First evidence that is no JWT, and that a trust entry judges by what it knows already: a chain of certificates, say.
 * Every method refuses by throwing `Refusal`.
 */
export interface DirectEvidence {
  /**
   * Whom it says it is from, in the words of `Attestor.issuers`. It selects the entry by exact string, and proves
   * nothing. The same for every entry that takes the format.
   */
  claimedIssuer(value: string): string
  /** As `Attestor.prepare`. */
  prepare(value: string, nowSeconds: number): Prepared | Promise<Prepared>
}

/** An entry of a kind, as its relay needs it. */
export type RelayEntry<Settings> = {
  readonly common: TrustCommon
  readonly settings: Settings
}

/** The world of a relay. */
export type RelayWorld = AttestorWorld & {
  /** Our issuer identifier: whom the evidence has to be meant for. */
  readonly issuer: string
  /** @returns epoch seconds when a challenge ends @throws Refusal `challenge_unknown`, `challenge_expired` */
  readonly challengeEnd: (challenge: string, nowSeconds: number) => number
}

/**
 * Verifies evidence that only its platform can judge, by asking the platform. Such evidence names no issuer, so that
 * it selects no entry: what the platform answers does.
 */
export interface Relay {
  /**
   * As `Attestor.prepare`, for a credential as it was sent.
   * @returns with the trust entry that the platform's answer is for
   */
  prepare(value: string, nowSeconds: number): Promise<Prepared & { readonly trust: string }>
}

/** The evidence of a kind that is relayed to its platform. */
export interface RelayKind<Settings> {
  /** What `Evidence.format` says of it. */
  readonly format: string
  /**
   * One relay for all entries of the kind.
   * @returns null when none of them takes such evidence
   * @throws Error with a sentence for the operator, when entries contradict each other
   */
  create(entries: readonly RelayEntry<Settings>[], world: RelayWorld): Relay | null
}
