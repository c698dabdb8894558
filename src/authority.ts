/**
 * Whose authority a request rests on, where that is not the caller's own: what a subject token proved. Types, and the
 * chain of actors in one form (RFC 8693 §4.1; draft-mcguinness-oauth-actor-profile).
 */

import type { Proof } from './identity.ts'
import type { Json, JsonObject } from './net/json.ts'
import { isObject } from './net/json.ts'
import type { UnverifiedJwt } from './net/jwt.ts'
import type { Party } from './policy/question.ts'
import type { Confirmation } from './possession.ts'
import { printable, Refusal } from './refusal.ts'

/** What an actor is: a person, a program, or an agent that a model steers. */
export type Profile = 'user' | 'service' | 'ai_agent'

/** One actor, and below it who acted before. Inbound ones are kept whole, members that are not known here included. */
export type Act = {
  readonly iss: string
  readonly sub: string
  readonly sub_profile?: string
  readonly act?: Act
}

/** What a subject token proved. */
export type Authority = {
  /** The trust or users entry, or our issuer, that vouches for it. */
  readonly by: string
  /** Canonical URI: a person's or a workload's. It stays `sub`, at every hop. */
  readonly subject: string
  /** The person, where the subject is one; null for a workload. */
  readonly user: Party | null
  /** For what of ours it was issued; null for a token without scopes of ours, which policies alone bound. */
  readonly of: { readonly audience: string; readonly scopes: readonly string[] } | null
  /** Who acts already, newest outermost; null for nobody. */
  readonly act: Act | null
  /** Who may use it besides its holder: our own tokens are for their holder alone. */
  readonly use: Use
  /** The key that it is bound to. */
  readonly confirmation: Confirmation | null
  readonly issuedAt: number
  readonly expiresAt: number
  /** What a revocation can name, hashed. */
  readonly lineage: readonly string[]
  /** Every name by which it can be revoked: more than its lineage, which the token carries on. */
  readonly names: readonly string[]
  /** The receipts of the hops so far (`receipt.ts`). */
  readonly receipts: readonly string[]
  /** Set where it is good only once: its key in the replay store. */
  readonly once: string | null
  /** The transaction that it is of; null for none. */
  readonly transaction: Transaction | null
}

/** What a transaction token keeps through its call chain (draft-ietf-oauth-transaction-tokens §9.2). */
export type Transaction = {
  /** `txn` */
  readonly id: string
  /** `rctx`: the environment of the request; null for none. */
  readonly context: JsonObject | null
  /** `tctx`: what it is about; null for nothing. */
  readonly details: JsonObject | null
}

/**
 * Who may use a token. `anyone`: whoever was given it, for a provider's token says nothing of workloads. `client`: whom an
 * ID-JAG is made out to, for the resource that it names, and nothing else. Either may name one workload in `may_act`.
 */
export type Use =
  | {
      readonly by: 'anyone'
      /** The only workload that may; null where none is named. */
      readonly mayAct: string | null
    }
  | {
      readonly by: 'client'
      readonly mayAct: string | null
      /** Canonical URI of the workload. */
      readonly client: string
      /** What the provider calls it: `client_id`. */
      readonly name: string
    }
  | {
      readonly by: 'holder'
      /** `client_id` of the token. */
      readonly holder: string
      /** The workload that `may_act` names; null for none. */
      readonly mayAct: string | null
    }

/** One provider of people at work. As an `Attestor`, for subject tokens. */
export interface Provider {
  /** `users:<name>`. */
  readonly trust: string
  readonly issuer: string
  /**
   * @param type `subject_token_type` (RFC 8693 §3)
   * @throws Refusal
   */
  prepare(
    jwt: UnverifiedJwt,
    type: string,
    nowSeconds: number,
  ): Proof<Authority> | Promise<Proof<Authority>>
}

/** How deep a chain may be that is read at all; what may be issued is configured. */
const MAX_DEPTH = 16

/**
 * Reads an inbound chain, whole.
 * @returns null for an absent one
 * @throws Refusal `claim_invalid` for one that is not of the form, `chain_too_deep` for one that nobody issues
 */
export function readAct(claim: Json | undefined, depth = 1): Act | null {
  if (claim === undefined) return null
  if (depth > MAX_DEPTH) throw new Refusal('chain_too_deep', { limit: MAX_DEPTH })
  if (!isObject(claim) || !isName(claim['iss']) || !isName(claim['sub'])) {
    const expected = 'an object with iss and sub'
    throw new Refusal('claim_invalid', { claim: 'act', expected, found: printable(claim) })
  }
  const { act: inner, ...self } = claim
  const prior = readAct(inner, depth + 1)
  return { ...self, ...(prior !== null && { act: prior }) } as Act
}

function isName(value: Json | undefined): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 2048
}

/** The actors of a chain, newest first. */
export function actorsOf(act: Act | null): readonly Act[] {
  return act === null ? [] : [act, ...actorsOf(act.act ?? null)]
}
