/**
 * The one way a request is turned down. `REASONS` is closed: a new reason must say, on the spot, which
 * class of answer it gets and the sentence the caller hears. Reasons are stable: operators alert on them.
 */

import type { Carrier } from './identity.ts'

/** Which OAuth answer a reason gets. `evidence` depends on the carrier (RFC 6749 §5.2, RFC 7521 §4). */
export type Answer =
  | 'request'
  | 'client'
  | 'grant_type'
  | 'evidence'
  | 'caller'
  | 'target'
  | 'scope'
  | 'proof'
  | 'nonce'
  | 'dependency'
  | 'overload'

type Entry = { readonly answer: Answer; readonly sentence: string }

const EVIDENCE = 'The credential was not accepted.'
const PROOF = 'The DPoP proof was not accepted.'
const NONCE = 'The DPoP proof needs the nonce of this answer.'
const RETRY = 'A service this decision depends on cannot answer. Try again shortly.'

/** Every reason for which a request is refused. The sentence is all that the caller hears. */
export const REASONS = {
  form_malformed: { answer: 'request', sentence: 'The request body is not a valid form.' },
  form_too_large: { answer: 'request', sentence: 'The request is too large.' },
  parameter_repeated: { answer: 'request', sentence: 'A parameter is repeated.' },
  parameter_missing: { answer: 'request', sentence: 'A required parameter is missing.' },
  parameter_malformed: { answer: 'request', sentence: 'A parameter has an invalid value.' },
  credentials_ambiguous: {
    answer: 'request',
    sentence: 'The request carries more than one kind of credential.',
  },
  grant_type_unsupported: {
    answer: 'grant_type',
    sentence: 'This grant type is not supported.',
  },

  certificate_malformed: {
    answer: 'client',
    sentence: 'The client certificate cannot be read.',
  },
  certificate_refused: {
    answer: 'client',
    sentence: 'The client certificate was not accepted.',
  },

  resource_missing: {
    answer: 'target',
    sentence: 'The request must name one resource (RFC 8707).',
  },
  resource_repeated: {
    answer: 'target',
    sentence: 'The request must name exactly one resource.',
  },
  resource_unknown: { answer: 'target', sentence: 'The requested resource is not served here.' },

  evidence_too_large: { answer: 'evidence', sentence: EVIDENCE },
  token_malformed: { answer: 'evidence', sentence: EVIDENCE },
  header_refused: { answer: 'evidence', sentence: EVIDENCE },
  algorithm_refused: { answer: 'evidence', sentence: EVIDENCE },
  type_refused: { answer: 'evidence', sentence: EVIDENCE },
  issuer_untrusted: { answer: 'evidence', sentence: EVIDENCE },
  audience_wrong: { answer: 'evidence', sentence: EVIDENCE },
  token_expired: { answer: 'evidence', sentence: EVIDENCE },
  token_premature: { answer: 'evidence', sentence: EVIDENCE },
  lifetime_excessive: { answer: 'evidence', sentence: EVIDENCE },
  key_unknown: { answer: 'evidence', sentence: EVIDENCE },
  signature_invalid: { answer: 'evidence', sentence: EVIDENCE },
  claim_invalid: { answer: 'evidence', sentence: EVIDENCE },
  entry_ambiguous: { answer: 'evidence', sentence: EVIDENCE },
  subject_mismatched: { answer: 'evidence', sentence: EVIDENCE },
  token_legacy: { answer: 'evidence', sentence: EVIDENCE },
  token_extended: { answer: 'evidence', sentence: EVIDENCE },
  token_unbound: { answer: 'evidence', sentence: EVIDENCE },
  token_foreign: { answer: 'evidence', sentence: EVIDENCE },
  token_personal: { answer: 'evidence', sentence: EVIDENCE },
  token_stale: { answer: 'evidence', sentence: EVIDENCE },
  subject_untrusted: { answer: 'evidence', sentence: EVIDENCE },
  evidence_revoked: { answer: 'evidence', sentence: EVIDENCE },
  revoked: { answer: 'evidence', sentence: EVIDENCE },
  evidence_replayed: { answer: 'evidence', sentence: EVIDENCE },
  evidence_key_mismatch: { answer: 'evidence', sentence: EVIDENCE },
  evidence_key_missing: { answer: 'evidence', sentence: EVIDENCE },
  challenge_unknown: { answer: 'evidence', sentence: EVIDENCE },
  challenge_expired: { answer: 'evidence', sentence: EVIDENCE },
  sts_refused: { answer: 'evidence', sentence: EVIDENCE },
  attestation_refused: { answer: 'evidence', sentence: EVIDENCE },
  attestation_mismatched: { answer: 'evidence', sentence: EVIDENCE },
  document_malformed: { answer: 'evidence', sentence: EVIDENCE },
  certificate_untrusted: { answer: 'evidence', sentence: EVIDENCE },
  measurement_refused: { answer: 'evidence', sentence: EVIDENCE },
  machine_unknown: { answer: 'evidence', sentence: EVIDENCE },
  client_mismatched: { answer: 'evidence', sentence: EVIDENCE },
  subject_unusable: { answer: 'evidence', sentence: EVIDENCE },
  chain_too_deep: { answer: 'request', sentence: 'The chain of actors is too long.' },
  chain_oversized: { answer: 'request', sentence: 'The chain of actors is too long.' },
  user_oversized: {
    answer: 'request',
    sentence: 'The subject token says more than a token can carry.',
  },
  sender_weakened: {
    answer: 'request',
    sentence: 'The subject token is bound to a key, and this request proves none as strong.',
  },
  target_unreachable: {
    answer: 'target',
    sentence: 'The subject token cannot be exchanged for this resource.',
  },
  scope_exceeded: {
    answer: 'scope',
    sentence: 'The subject token has none of the requested scopes.',
  },
  sender_unproved: { answer: 'evidence', sentence: EVIDENCE },
  caller_missing: { answer: 'caller', sentence: 'This endpoint needs to know who is calling.' },

  proof_missing: { answer: 'proof', sentence: PROOF },
  proof_malformed: { answer: 'proof', sentence: PROOF },
  proof_key_refused: { answer: 'proof', sentence: PROOF },
  proof_mismatched: { answer: 'proof', sentence: PROOF },
  proof_expired: { answer: 'proof', sentence: PROOF },
  proof_premature: { answer: 'proof', sentence: PROOF },
  proof_signature_invalid: { answer: 'proof', sentence: PROOF },
  proof_replayed: { answer: 'proof', sentence: PROOF },
  nonce_missing: { answer: 'nonce', sentence: NONCE },
  nonce_stale: { answer: 'nonce', sentence: NONCE },

  sender_unbound: {
    answer: 'request',
    sentence: 'This resource takes only tokens that are bound to a key of the caller.',
  },
  token_oversized: {
    answer: 'request',
    sentence: 'The token for this resource would be too large.',
  },
  policy_denied: {
    answer: 'scope',
    sentence: 'No requested scope is permitted for this workload now.',
  },
  policy_failed: {
    answer: 'scope',
    sentence: 'No requested scope is permitted for this workload now.',
  },
  scope_malformed: { answer: 'scope', sentence: 'The scope parameter is malformed.' },

  issuer_keys_unavailable: { answer: 'dependency', sentence: RETRY },
  review_unavailable: { answer: 'dependency', sentence: RETRY },
  cluster_unreachable: { answer: 'dependency', sentence: RETRY },
  sts_unavailable: { answer: 'dependency', sentence: RETRY },
  inventory_unavailable: { answer: 'dependency', sentence: RETRY },
  store_unavailable: { answer: 'dependency', sentence: RETRY },
  audit_unavailable: { answer: 'dependency', sentence: RETRY },
  policies_stale: { answer: 'dependency', sentence: RETRY },
  revocations_stale: { answer: 'dependency', sentence: RETRY },
  signing_key_unavailable: { answer: 'dependency', sentence: RETRY },
  overloaded: { answer: 'overload', sentence: 'The server is busy. Try again shortly.' },
} as const satisfies Record<string, Entry>

/** The name of a reason; what the operator reads and the audit records. */
export type Reason = keyof typeof REASONS

/** Primitive data about a refusal, for the operator only. It never holds a token, assertion or key. */
export type Detail = Readonly<Record<string, string | number | boolean | null | readonly string[]>>

/** A request turned down for one of the closed set of reasons. */
export class Refusal extends Error {
  readonly reason: Reason
  readonly detail: Detail
  /** The parameter whose credential is at fault, where it is not that of the workload. */
  readonly carrier: Carrier | null

  /**
   * @param detail what the operator needs to mend it: expected and found values, names, ages
   * @param options the cause, where a lower layer failed
   */
  constructor(
    reason: Reason,
    detail: Detail = {},
    { carrier = null, ...options }: ErrorOptions & { readonly carrier?: Carrier | null } = {},
  ) {
    super(reason, options)
    this.name = 'Refusal'
    this.reason = reason
    this.detail = detail
    this.carrier = carrier
  }
}

/**
 * Runs what judges one credential, so that its refusals say which.
 * @throws Refusal with that carrier
 */
export function blaming<Result>(carrier: Carrier, judge: () => Result): Result {
  try {
    return judge()
  } catch (error) {
    throw blamed(carrier, error)
  }
}

/** The same error; a Refusal with the carrier of the credential that it is about. */
export function blamed(carrier: Carrier, error: unknown): unknown {
  if (!(error instanceof Refusal)) return error
  const { reason, detail, cause } = error
  return new Refusal(
    reason,
    { carrier, ...detail },
    { carrier, ...(cause !== undefined && { cause }) },
  )
}

const PRINTABLE_CHARACTERS = 200

/** Nearly every text: it is shown as it is. */
const ORDINARY = /^[ -~]{0,200}$/

/**
 * Unverified data made fit for a Detail: text of at most 200 characters without control characters.
 * Anything that is not a string is shown as JSON.
 */
export function printable(unverified: unknown): string {
  const text =
    typeof unverified === 'string' ? unverified : (JSON.stringify(unverified) ?? 'nothing')
  if (ORDINARY.test(text)) return text
  const shown = text.slice(0, PRINTABLE_CHARACTERS).replace(/\p{C}/gu, '\u{fffd}')
  return text.length > PRINTABLE_CHARACTERS ? `${shown}…` : shown
}

const FEW = 10

/** The first of many names, for a Detail that must not grow with the configuration. */
export function few(names: Iterable<string>): readonly string[] {
  const all = [...names]
  return all.length <= FEW ? all : [...all.slice(0, FEW), `and ${all.length - FEW} more`]
}
