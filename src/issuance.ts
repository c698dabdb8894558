/** What leaves: the Grant as what was asked for, an access token, an ID-JAG or a transaction token. */

import type { Authority, Transaction } from './authority.ts'
import type { Grant } from './grant.ts'
import { type Destination, makeIdJag } from './idjag.ts'
import type { Signer } from './keys.ts'
import { type Making, makeToken } from './token.ts'
import { makeTransactionToken, type Said, transactionOf } from './transaction.ts'

/** What is asked for (RFC 8693 §2.1 `requested_token_type`). Made by `src/http/delegation.ts`. */
export type Wanted =
  | { readonly type: 'access_token' | 'id-jag' }
  | ({ readonly type: 'txn_token' } & Said)

/** What will leave, once it is clear for whom. */
export type Form =
  | { readonly type: 'access_token' }
  | { readonly type: 'id-jag'; readonly to: Destination }
  | { readonly type: 'txn_token'; readonly transaction: Transaction }

/**
 * @param id of a transaction that begins
 * @param to the other authorization server; null where the target is our own
 * @throws Refusal those of `transactionOf`
 */
export function formOf(
  wanted: Wanted,
  { to, authority, id }: { to: Destination | null; authority: Authority | null; id: string },
): Form {
  if (to !== null) return { type: 'id-jag', to }
  if (wanted.type !== 'txn_token') return { type: 'access_token' }
  const before = authority?.transaction ?? null
  return { type: 'txn_token', transaction: transactionOf(wanted, before, id) }
}

/**
 * Signs a Grant as what was asked for.
 * @throws Refusal those of `makeToken` and `makeTransactionToken`
 */
export function issue(grant: Grant, form: Form, making: Making, signer: Signer): string {
  if (form.type === 'access_token') return makeToken(grant, making, signer)
  if (form.type === 'id-jag') return makeIdJag(grant, form.to, making, signer)
  return makeTransactionToken(grant, { ...making, transaction: form.transaction }, signer)
}
