/**
 * Who calls an endpoint about tokens (introspection, revocation): a workload that its platform vouches for, or one with
 * a token of ours for that very endpoint. One-time evidence is spent here as it is for a token.
 */

import type { AccessToken, AccessTokens } from './accesstoken.ts'
import type { Identity } from './identity.ts'
import { namesOf, namesOfIdentity } from './lineage.ts'
import type { Spend } from './pinning.ts'
import { type Held, type Proofs, type Prove, proves, schemeOf, UNBOUND } from './possession.ts'
import { Refusal } from './refusal.ts'
import { admit, type Revocations } from './revocations.ts'
import { demandNamed, type Shown, type Vouching } from './vouching.ts'

/** What a request shows of its caller, unverified. Made by `src/http/caller.ts`. */
export type ShownCaller = {
  /** The id of the request, and its address after the trusted-proxy rules. */
  readonly id: string
  readonly sourceIp: string | null
  /** The URL of the endpoint as published: the audience that a token for it has. */
  readonly endpoint: string
  /** Its platform's credential; null when none was sent. */
  readonly assertion: Shown | null
  /** `client_id` as sent; null for none. */
  readonly clientId: string | null
  /** The token of an `Authorization` header; null when there is none. */
  readonly authorization: { readonly scheme: 'Bearer' | 'DPoP'; readonly token: string } | null
  readonly proofs: Proofs | null
}

/** A workload that has shown who it is. */
export type Caller = {
  /** Canonical URI. */
  readonly uri: string
  /** The key that it has proved, or none. */
  readonly held: Held
  /** What vouches for it: its platform, or a token of ours. One of them is null. */
  readonly identity: Identity | null
  readonly token: AccessToken | null
}

/** Tells who calls. */
export type Callers = {
  /**
   * Call it last before answering: one-time evidence is gone afterwards.
   * @throws Refusal `caller_missing` when nothing is shown, `sender_unproved` for a bound token without its key, and
   *   those of bad evidence, of the store and of revocations
   */
  identify(shown: ShownCaller): Promise<Caller>
}

/** The rooms that a caller passes through. */
export type CallerRooms = {
  readonly tokens: AccessTokens
  readonly vouching: Vouching
  readonly prove: Prove
  /** Spends what it shows, and holds a pinned credential against the key that it is pinned to. */
  readonly spend: Spend
  readonly revocations: Pick<Revocations, 'revoked' | 'insist'>
  /** Epoch seconds. */
  readonly seconds: () => number
}

/** Composed in `broker.ts`. */
export function callers(rooms: CallerRooms): Callers {
  return {
    async identify(shown) {
      const { proofs } = shown
      const held = proofs === null ? UNBOUND : rooms.prove(proofs, rooms.seconds())
      const caller =
        shown.authorization === null
          ? await byPlatform(rooms, shown, held)
          : byToken(rooms, shown.authorization, shown.endpoint, held)
      demandNamed(caller, shown.clientId)
      demandUnrevoked(rooms, caller)
      const { id, sourceIp } = shown
      const use = { id, at: rooms.seconds(), sourceIp }
      await rooms.spend({ identity: caller.identity, held }, use)
      return caller
    },
  }
}

/**
 * A token for something else names its workload, too, but whoever serves that something has it as well; it would be
 * taken for the workload (RFC 9068 §4).
 */
function byToken(
  { tokens, seconds }: CallerRooms,
  { scheme, token: text }: NonNullable<ShownCaller['authorization']>,
  endpoint: string,
  held: Held,
): Caller {
  const token = tokens.read(text, seconds())
  if (token.audience !== endpoint) {
    throw new Refusal('audience_wrong', { found: token.audience, expected: endpoint })
  }
  const { confirmation } = token
  // RFC 9449 §7.1: what is bound by DPoP is presented as such, and nothing else is.
  const expected = schemeOf(confirmation)
  if (scheme !== expected || !proves(held, confirmation)) {
    throw new Refusal('sender_unproved', { scheme, expected, held: held.sender })
  }
  return { uri: token.clientId, held, identity: null, token }
}

/** Whoever was taken out of use asks nothing either, nor does a token that was. */
function demandUnrevoked({ revocations, seconds }: CallerRooms, { identity, token }: Caller): void {
  if (identity !== null) admit(revocations, namesOfIdentity(identity), seconds())
  if (token !== null) admit(revocations, namesOf(token.claims, token.kid), token.issuedAt)
}

async function byPlatform(
  { vouching, seconds }: CallerRooms,
  { assertion }: ShownCaller,
  held: Held,
): Promise<Caller> {
  if (assertion === null) throw new Refusal('caller_missing')
  const prepared = await vouching.prepare(assertion, seconds(), () => undefined)
  // The clock is read again: preparing evidence may have taken seconds.
  const identity = prepared.verify(seconds())
  return { uri: identity.uri, held, identity, token: null }
}
