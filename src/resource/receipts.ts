/**
 * The chain behind a token, verified offline: who acted by whose authority, hop by hop. It needs the broker's public keys
 * of the time (`countersign keys export --retired`), and neither the broker nor any of the tokens in between.
 */

import { compactVerify, createLocalJWKSet, errors, type JSONWebKeySet } from 'jose'
import { shortHash } from '../lineage.ts'
import { RECEIPT_TYPE, type ReceiptClaims } from '../receipt.ts'

/** One hop, as its receipt says. */
export type VerifiedHop = {
  /** Epoch seconds. */
  readonly at: number
  /** Canonical URI of the workload that acts from this hop on. */
  readonly actor: string
  readonly audience: string
  readonly scopes: readonly string[]
  /** The policies that permitted it. */
  readonly generation: string
}

/** A chain that holds. */
export type VerifiedChain = {
  /** Canonical URI of whose authority it is, and who vouched for it. */
  readonly subject: string
  readonly vouchedBy: string
  /** Oldest first. */
  readonly hops: readonly VerifiedHop[]
}

/** Claims of the token that carries the chain. They need not be verified: what they say is held against the receipts. */
export type CarryingClaims = Readonly<Record<string, unknown>>

/** Receipts that do not hold, or not together, or not for this token. */
export class InvalidReceipts extends Error {
  override readonly name = 'InvalidReceipts'
}

const MAX_HOPS = 16

/**
 * Verifies the receipts of a token, and that they lead to it.
 *
 * @param keys the broker's public keys, retired ones included
 * @throws InvalidReceipts
 */
export async function verifyReceipts(
  claims: CarryingClaims,
  keys: JSONWebKeySet,
): Promise<VerifiedChain> {
  const { receipts } = claims
  if (!Array.isArray(receipts) || receipts.length === 0 || receipts.length > MAX_HOPS) {
    throw new InvalidReceipts(`the token has no list of 1 to ${MAX_HOPS} receipts`)
  }
  const resolve = createLocalJWKSet(keys)
  const hops: Told[] = []
  for (const [index, receipt] of receipts.entries()) {
    const claims = await readReceipt(receipt, resolve)
    hops.push(told(claims, hops.at(-1), receipts[index - 1]))
  }
  const [first, last] = [hops[0], hops.at(-1)]
  if (first === undefined || last === undefined) throw new InvalidReceipts('there is no receipt')
  leadTo(last, claims)
  compareActors(hops, claims)
  return {
    subject: first.sub,
    vouchedBy: first.prv,
    hops: hops.map(({ iat, act, res, scope, gen }) => ({
      at: iat,
      actor: act,
      audience: res,
      scopes: scopesOf(scope),
      generation: gen,
    })),
  }
}

/** A receipt with what it left out. */
type Told = Required<ReceiptClaims>

/** Each receipt names the one before it, goes on from there, and has no more. */
function told(claims: ReceiptClaims, before: Told | undefined, text: unknown): Told {
  if (before === undefined) {
    const { sub, res, scope } = claims
    if (sub === undefined || res === undefined || scope === undefined) {
      throw new InvalidReceipts('the first receipt is missing')
    }
    return { ...claims, sub, res, scope }
  }
  const { sub = before.sub, res = before.res, scope = before.scope } = claims
  if (claims.prv !== shortHash(String(text)) || sub !== before.sub) {
    throw new InvalidReceipts('a receipt does not follow the one before it')
  }
  if (claims.iat < before.iat)
    throw new InvalidReceipts('a receipt is older than the one before it')
  const wider = scopesOf(scope).filter((each) => !scopesOf(before.scope).includes(each))
  // Scopes of another audience have other names; the map between them is the broker's.
  if (res === before.res && wider.length > 0) {
    throw new InvalidReceipts(`the scopes widen by ${wider.join(', ')}`)
  }
  return { ...claims, sub, res, scope }
}

async function readReceipt(
  receipt: unknown,
  keys: ReturnType<typeof createLocalJWKSet>,
): Promise<ReceiptClaims> {
  try {
    const text = typeof receipt === 'string' ? receipt : ''
    if (!isCanonical(text)) throw new InvalidReceipts('a receipt is malformed')
    const { payload, protectedHeader } = await compactVerify(text, keys, { algorithms: ['ES256'] })
    if (protectedHeader.typ !== RECEIPT_TYPE) throw new InvalidReceipts('it is no receipt')
    return shaped(JSON.parse(Buffer.from(payload).toString('utf8')))
  } catch (cause) {
    if (cause instanceof InvalidReceipts) throw cause
    const known = cause instanceof errors.JOSEError || cause instanceof SyntaxError
    if (!known) throw cause
    throw new InvalidReceipts('a receipt does not verify', { cause })
  }
}

/** One receipt has one spelling: the hash of it is what the next one names. */
function isCanonical(text: string): boolean {
  return text
    .split('.')
    .every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
}

const TEXTS = ['act', 'gen', 'prv']
const OPTIONAL_TEXTS = ['sub', 'res', 'scope']

function shaped(value: Record<string, unknown>): ReceiptClaims {
  const texts =
    TEXTS.every((name) => typeof value[name] === 'string') &&
    OPTIONAL_TEXTS.every((name) => ['string', 'undefined'].includes(typeof value[name]))
  if (!texts || typeof value['iat'] !== 'number')
    throw new InvalidReceipts('a receipt is malformed')
  return value as ReceiptClaims
}

/** The last receipt is of the token itself. */
function leadTo({ sub, act, res, scope, iat }: Told, claims: CarryingClaims): void {
  const last = [sub, act, res, scope, iat]
  const { sub: subject, client_id, req_wl, aud, scope: scopes = '', iat: issuedAt } = claims
  // A transaction token names its holder as the workload that asked for it.
  const carried = [subject, client_id ?? req_wl, aud, scopes, issuedAt]
  if (last.every((each, index) => each === carried[index])) return
  throw new InvalidReceipts('the receipts are of another token')
}

/** The actors of the token, newest first, begin with those of the receipts; a provider may have named some before. */
function compareActors(read: readonly Told[], claims: CarryingClaims): void {
  const acted = read
    .map(({ act }) => act)
    .filter((act, index, all) => act !== all[index - 1])
    .reverse()
  const named = actorsOf(claims['act'])
  // The subject acts for itself until somebody else does.
  const acting = acted.at(-1) === claims['sub'] ? acted.slice(0, -1) : acted
  const older = named.length - acting.length
  const foreign = read[0]?.prv.startsWith('users:') === true
  const matches = older === 0 || (older > 0 && foreign)
  if (matches && acting.every((act, index) => act === named[index])) return
  throw new InvalidReceipts('the receipts name other actors than the token')
}

function actorsOf(act: unknown): readonly unknown[] {
  const actors: unknown[] = []
  let each: unknown = act
  while (typeof each === 'object' && each !== null && actors.length <= MAX_HOPS) {
    const { sub, act: inner } = each as { readonly sub?: unknown; readonly act?: unknown }
    actors.push(sub)
    each = inner
  }
  return actors
}

function scopesOf(scope: string): readonly string[] {
  return scope === '' ? [] : scope.split(' ')
}
