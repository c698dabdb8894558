/**
 * Receipts: a signed line for each hop of a chain, carried in the token. They say who acted by whose authority, for what,
 * and under which policies, to whoever has our public keys, archived ones included, when the tokens are long gone.
 */

import type { Grant } from './grant.ts'
import type { Signer } from './keys.ts'
import { shortHash } from './lineage.ts'
import { Refusal } from './refusal.ts'
import { signStatement } from './statement.ts'

/** `typ` of a receipt. It has no `aud`: it is for everybody, and opens nothing. */
export const RECEIPT_TYPE = 'receipt+jwt'

/** What a receipt says. Short, since a token carries all of its chain: what is as in the receipt before is left out. */
export type ReceiptClaims = {
  /** Epoch seconds. */
  readonly iat: number
  /** Whose authority: `sub` of the token. In the first receipt alone. */
  readonly sub?: string
  /** Who acts from this hop on. */
  readonly act: string
  /** What the authority came to be for, and what was left of its scopes. */
  readonly res?: string
  readonly scope?: string
  /** The generation of policies that permitted it. */
  readonly gen: string
  /** The receipt before it, hashed; of the first one, who vouched for `sub`. */
  readonly prv: string
}

/** All receipts of a token together, characters. */
const MAX_CHARACTERS = 2048

/**
 * The receipts of a Grant: those of the subject token, and that of this hop.
 * @returns none where nothing was handed on
 * @throws Refusal `chain_oversized`
 */
export function receiptsOf({ hop, ...grant }: Grant, signer: Signer): readonly string[] {
  if (hop === null) return []
  const last = hop.receipts.at(-1)
  // What the subject token says is what the receipt of its own hop said.
  const before = last === undefined ? null : hop.of
  const scope = grant.scopes.join(' ')
  const claims: ReceiptClaims = {
    iat: grant.issuedAt,
    ...(last === undefined && { sub: grant.subject }),
    act: grant.clientId,
    ...(before?.audience !== grant.audience && { res: grant.audience }),
    ...(before?.scopes.join(' ') !== scope && { scope }),
    gen: hop.generation,
    prv: last === undefined ? hop.by : shortHash(last),
  }
  const receipts = [...hop.receipts, signStatement(RECEIPT_TYPE, claims, signer)]
  const characters = receipts.join(',').length
  if (characters <= MAX_CHARACTERS) return receipts
  throw new Refusal('chain_oversized', { characters, limit: MAX_CHARACTERS })
}
