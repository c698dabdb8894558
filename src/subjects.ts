/**
 * Who a request is made for: reads a `subject_token` (RFC 8693 §2.1), ours or that of a provider of people. Unverified
 * `iss` selects by exact string, and proves nothing.
 */

import { hash } from 'node:crypto'
import type { AccessToken, AccessTokens } from './accesstoken.ts'
import type { AuditEvidence } from './audit.ts'
import { type Authority, type Provider, readAct } from './authority.ts'
import type { Proof } from './identity.ts'
import { nameOf, namesOf } from './lineage.ts'
import { isObject, type Json, type JsonObject } from './net/json.ts'
import { digestOf, parseJwt } from './net/jwt.ts'
import { looksOpaque } from './opaque.ts'
import type { Party } from './policy/question.ts'
import { few, printable, Refusal } from './refusal.ts'

/** RFC 8693 §3: what our own tokens are called. */
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
export const JWT = 'urn:ietf:params:oauth:token-type:jwt'

/** `typ` of the tokens that may be shown here, besides none and `JWT`. */
const TYPES = ['at+jwt', 'oauth-id-jag+jwt']

/** What the audit says of a subject token: by digest, and by what it says of itself. Nothing where there is none. */
export function describedSubject(shown: ShownSubject | null): readonly AuditEvidence[] {
  if (shown === null) return []
  const { digest, claims } = looksOpaque(shown.value)
    ? { digest: hash('sha256', shown.value, 'base64url'), claims: {} as JsonObject }
    : unread(shown.value)
  return [
    {
      carrier: 'subject_token',
      digest,
      claimedIssuer: 'iss' in claims ? printable(claims['iss']) : null,
      claimedSubject: 'sub' in claims ? printable(claims['sub']) : null,
    },
  ]
}

/** Null for one that cannot be read: two texts could be one token. */
function unread(value: string): { readonly digest: string | null; readonly claims: JsonObject } {
  try {
    const jwt = parseJwt(value, { types: TYPES })
    return { digest: digestOf(jwt), claims: jwt.claims }
  } catch (error) {
    if (error instanceof Refusal) return { digest: null, claims: {} }
    throw error
  }
}

/** A subject token as sent. */
export type ShownSubject = {
  readonly value: string
  /** `subject_token_type`. */
  readonly type: string
}

/** Reads the subject tokens of one broker. */
export type Subjects = {
  /**
   * Does what must wait; `verify` then runs to its end at once.
   * @throws Refusal those of bad evidence
   */
  prepare(shown: ShownSubject, nowSeconds: number): Proof<Authority> | Promise<Proof<Authority>>
}

/** What subject tokens are read with. */
export type SubjectRooms = {
  /** Our issuer identifier. */
  readonly issuer: string
  readonly tokens: AccessTokens
  readonly providers: readonly Provider[]
  /** Opens what a token of ours carries of the person behind it; null for nothing. */
  readonly personOf: (token: AccessToken) => Party | null
}

/** Composed in `broker.ts`. */
export function subjects({ issuer, tokens, providers, personOf }: SubjectRooms): Subjects {
  function own({ value, type }: ShownSubject): Proof<Authority> {
    if (type !== ACCESS_TOKEN && type !== JWT) {
      throw new Refusal('type_refused', { expected: ACCESS_TOKEN, found: printable(type) })
    }
    return {
      verify(nowSeconds) {
        const token = tokens.read(value, nowSeconds)
        return authorityOf(token, issuer, personOf(token))
      },
    }
  }

  return {
    prepare(shown, nowSeconds) {
      if (looksOpaque(shown.value)) return own(shown)
      const jwt = parseJwt(shown.value, { types: TYPES })
      const { iss } = jwt.claims
      if (iss === issuer) return own(shown)
      const provider = providers.find((each) => each.issuer === iss)
      if (provider !== undefined) return provider.prepare(jwt, shown.type, nowSeconds)
      const trusted = few(providers.map((each) => each.issuer))
      throw new Refusal('issuer_untrusted', { found: printable(iss), trusted })
    },
  }
}

function authorityOf(token: AccessToken, issuer: string, person: Party | null): Authority {
  const { subject, clientId, audience, scopes, issuedAt, expiresAt, confirmation } = token
  return {
    by: issuer,
    subject,
    user: person,
    of: { audience, scopes },
    act: readAct(token.claims['act']),
    use: { by: 'holder', holder: clientId, mayAct: mayActOf(token.claims['may_act']) },
    confirmation,
    issuedAt,
    expiresAt,
    // What hangs on this token falls with it.
    lineage: [...token.lineage, nameOf('token', token.jti)],
    names: [...namesOf(token.claims, token.kid)],
    receipts: textsOf(token.claims['receipts']),
    once: null,
  }
}

function textsOf(claim: Json | undefined): readonly string[] {
  return Array.isArray(claim) ? claim.filter((each) => typeof each === 'string') : []
}

/** RFC 8693 §4.4. Ours names one workload. */
function mayActOf(claim: Json | undefined): string | null {
  const sub = isObject(claim) ? claim['sub'] : undefined
  return typeof sub === 'string' ? sub : null
}
