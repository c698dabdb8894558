/**
 * Grant → transaction token (draft-ietf-oauth-transaction-tokens §9): what a call is about, kept the same through all
 * workloads of a trust domain that take part in it. It is no access token and nobody's credential.
 */

import type { Transaction } from './authority.ts'
import { CARRIED } from './carried.ts'
import type { Grant } from './grant.ts'
import type { Signer } from './keys.ts'
import { isObject, type Json, type JsonObject } from './net/json.ts'
import { receiptsOf } from './receipt.ts'
import { few, printable, Refusal } from './refusal.ts'
import { signStatement } from './statement.ts'
import type { Making } from './token.ts'

/** `typ` of a transaction token. */
export const TXN_TOKEN_TYPE = 'txntoken+jwt'

/** Longer than this, the token would not fit into a header beside others. */
const MAX_CHARACTERS = 8192

/** What a caller says of a transaction; null for nothing. */
export type Said = Pick<Transaction, 'context' | 'details'>

/**
 * The transaction that a token will be of: a new one; or that of the token which it replaces, of which nothing changes.
 *
 * @param id of a new one
 * @throws Refusal `parameter_malformed` for what is said of something that is settled already (§13.15)
 */
export function transactionOf(said: Said, before: Transaction | null, id: string): Transaction {
  return {
    id: before?.id ?? id,
    context: joined('request_context', before?.context ?? null, said.context),
    details: joined('request_details', before?.details ?? null, said.details),
  }
}

function joined(
  parameter: string,
  settled: JsonObject | null,
  said: JsonObject | null,
): JsonObject | null {
  if (settled === null || said === null) return settled ?? said
  const again = Object.keys(said).filter((name) => Object.hasOwn(settled, name))
  if (again.length === 0) return { ...settled, ...said }
  const expected = 'nothing that the transaction token says already'
  throw new Refusal('parameter_malformed', {
    parameter,
    expected,
    found: few(again.map(printable)),
  })
}

/** The transaction of a token of ours. */
export function transactionIn(claims: JsonObject): Transaction {
  const { txn, rctx, tctx } = claims
  if (typeof txn !== 'string') throw new Refusal('claim_invalid', { claim: 'txn' })
  return { id: txn, context: objectIn(rctx), details: objectIn(tctx) }
}

function objectIn(claim: Json | undefined): JsonObject | null {
  return isObject(claim) ? claim : null
}

/** What a transaction token is made with, besides its Grant. */
export type MakingTransaction = Making & { readonly transaction: Transaction }

/** @throws Refusal `token_oversized`, `user_oversized`, `chain_oversized` */
export function makeTransactionToken(
  grant: Grant,
  { issuer, jti, carried, transaction }: MakingTransaction,
  signer: Signer,
): string {
  const { id, context, details } = transaction
  const claims = {
    iss: issuer,
    iat: grant.issuedAt,
    aud: grant.audience,
    exp: grant.expiresAt,
    txn: id,
    sub: grant.subject,
    scope: grant.scopes.join(' '),
    req_wl: grant.clientId,
    ...(details !== null && { tctx: details }),
    ...(context !== null && { rctx: context }),
    jti,
    ...(grant.confirmation !== null && { cnf: grant.confirmation }),
    ...(grant.act !== null && { act: grant.act }),
    lineage: grant.lineage,
    ...(grant.hop !== null && { receipts: receiptsOf(grant, signer) }),
    ...(grant.user !== null && { [CARRIED]: carried.seal(grant.user, jti) }),
  }
  const token = signStatement(TXN_TOKEN_TYPE, claims, signer)
  if (token.length <= MAX_CHARACTERS) return token
  throw new Refusal('token_oversized', { characters: token.length, limit: MAX_CHARACTERS })
}
