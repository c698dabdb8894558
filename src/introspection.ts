/**
 * What a token is good for at this moment, said to whom it concerns: its holder, and the workload behind its audience
 * (RFC 7662). Whatever else there is to know, anybody else learns that it is not active.
 */

import type { AccessToken, AccessTokens } from './accesstoken.ts'
import type { Caller, Callers, ShownCaller } from './caller.ts'
import type { SigningKeys } from './keys.ts'
import { namesOf } from './lineage.ts'
import { proves, schemeOf } from './possession.ts'
import type { Revocations } from './revocations.ts'
import { signStatement } from './statement.ts'
import { signClaims } from './token.ts'

/** RFC 9701 §5: the `typ` of a signed answer, which so is no access token. */
const STATEMENT_TYPE = 'token-introspection+jwt'

/** How the caller wants to be answered: in JSON, in a signed statement (RFC 9701), or with the token itself as a JWT. */
export type Form = 'json' | 'statement' | 'token'

/** A question about a token. Parsed, not trusted. */
export type Inquiry = {
  readonly caller: ShownCaller
  readonly token: string
  readonly form: Form
}

/** What is said: an object, or a compact JWS of the form that was asked for. */
export type Finding = { readonly active: boolean } & (
  | { readonly form: 'json'; readonly body: Readonly<Record<string, unknown>> }
  | { readonly form: 'statement' | 'token'; readonly jws: string }
)

/** The rooms that a question passes through. Composed in `broker.ts`. */
export type IntrospectionRooms = {
  readonly issuer: string
  readonly callers: Callers
  readonly tokens: AccessTokens
  readonly keys: Pick<SigningKeys, 'signer' | 'readers'>
  readonly revocations: Pick<Revocations, 'revoked' | 'insist'>
  /** The workloads behind an audience, by canonical URI. */
  readonly servedBy: (audience: string) => readonly string[]
  /** Epoch seconds. */
  readonly seconds: () => number
}

/** Exactly this, whatever the reason (RFC 7662 §2.2). */
const INACTIVE = { active: false } as const

/**
 * Answers one question.
 * @throws Refusal `revocations_stale` when nobody can say what was revoked, and those of `Callers`
 */
export async function introspect(
  rooms: IntrospectionRooms,
  { caller: shown, token: text, form }: Inquiry,
): Promise<Finding> {
  const { callers, revocations, seconds } = rooms
  // Before the caller's evidence is spent on an answer that nobody could give.
  revocations.insist()
  const caller = await callers.identify(shown)
  const token = valid(rooms, text)
  const concern = token && concernOf(rooms, caller, token)
  const body = concern ? described(token) : INACTIVE
  const active = body.active
  if (form === 'statement') return { active, form, jws: statement(rooms, caller, body) }
  // A phantom token: who serves the audience may read what a sealed token keeps from everybody on its way.
  if (form === 'token' && concern === 'server' && token?.format === 'opaque') {
    return { active, form, jws: signClaims(token.claims, rooms.keys.signer(seconds())) }
  }
  return { active, form: 'json', body }
}

/** Null for every token that is not good now, whyever. */
function valid({ tokens, revocations, seconds }: IntrospectionRooms, text: string) {
  const token = tokens.find(text, seconds())
  if (token === null) return null
  const names = namesOf(token.claims, token.kid)
  return revocations.revoked(names, token.issuedAt) === null ? token : null
}

/** What a caller has to do with a token; null for nothing. Seeing a token is no right to know what it says. */
function concernOf(
  { servedBy }: IntrospectionRooms,
  { uri, held }: Caller,
  { audience, clientId, confirmation }: AccessToken,
): 'server' | 'holder' | null {
  if (servedBy(audience).includes(uri)) return 'server'
  return uri === clientId && proves(held, confirmation) ? 'holder' : null
}

/** The claims of the JWT, one for one, and what RFC 7662 §2.2 adds to them. */
function described({ claims, confirmation }: AccessToken) {
  return { ...claims, active: true, token_type: schemeOf(confirmation) } as const
}

/** RFC 9701 §5. It has neither `sub` nor `exp` of its own, so that nobody takes it for a token. */
function statement({ issuer, keys, seconds }: IntrospectionRooms, { uri }: Caller, body: object) {
  const iat = seconds()
  const claims = { iss: issuer, aud: uri, iat, token_introspection: body }
  return signStatement(STATEMENT_TYPE, claims, keys.signer(iat))
}
