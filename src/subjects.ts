/**
 * Who a request is made for: reads a `subject_token` (RFC 8693 §2.1), ours or that of a provider of people. Unverified
 * `iss` selects by exact string, and proves nothing.
 */

import { hash } from 'node:crypto'
import { ID_JAG } from '../attestors/users/index.ts'
import type { AccessToken, AccessTokens } from './accesstoken.ts'
import type { AuditEvidence } from './audit.ts'
import { type Authority, type Provider, readAct } from './authority.ts'
import type { Proof } from './identity.ts'
import { ID_JAG_TYPE } from './idjag.ts'
import { nameOf, namesOf } from './lineage.ts'
import { isObject, type Json, type JsonObject } from './net/json.ts'
import { digestOf, mediaType, parseJwt } from './net/jwt.ts'
import { looksOpaque } from './opaque.ts'
import type { Party } from './policy/question.ts'
import { few, printable, Refusal } from './refusal.ts'
import { TXN_TOKEN_TYPE, transactionIn } from './transaction.ts'

/** RFC 8693 §3: what our own tokens are called. */
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
export const JWT = 'urn:ietf:params:oauth:token-type:jwt'
export const TXN_TOKEN = 'urn:ietf:params:oauth:token-type:txn_token'
export { ID_JAG }

/** `typ` of the tokens that may be shown here, besides none and `JWT`. */
const TYPES = ['at+jwt', ID_JAG_TYPE, TXN_TOKEN_TYPE]

/** What the audit says of a subject token: by digest, and by what it says of itself. Nothing where there is none. */
export function describedSubject(shown: ShownSubject | null): readonly AuditEvidence[] {
  if (shown === null) return []
  const { digest, claims } = looksOpaque(shown.value)
    ? { digest: hash('sha256', shown.value, 'base64url'), claims: {} as JsonObject }
    : unread(shown.value)
  return [
    {
      carrier: shown.carrier,
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
  /** The parameter that it came in: that of an exchange, or of the grant of RFC 7523 §2.1. */
  readonly carrier: 'subject_token' | 'assertion'
  readonly value: string
  /** `subject_token_type`. */
  readonly type: string
}

/** Whether an assertion says that it is an ID-JAG. Nothing is proved by it. */
export function looksGranted(assertion: string): boolean {
  // Most assertions are tokens of workloads, and parsed soon enough.
  const header = Buffer.from(assertion.slice(0, MAX_HEADER).split('.', 1)[0] ?? '', 'base64url')
  if (!/oauth-id-jag\+jwt/i.test(header.toString('latin1'))) return false
  try {
    const { typ } = parseJwt(assertion, { types: TYPES }).header
    return typ !== undefined && mediaType(typ) === ID_JAG_TYPE
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

/** Characters of a header that are looked at. One that is longer is no ID-JAG's. */
const MAX_HEADER = 2048

/**
 * The resource that an ID-JAG says it is for, which selects what is asked for where no parameter does. Nothing is
 * proved by it: what is granted is bounded by what the verified token says.
 * @returns null where it says nothing that could be one
 */
export function claimedResource({ value }: ShownSubject): string | null {
  const { resource } = unread(value).claims
  const sole = Array.isArray(resource) && resource.length === 1 ? resource[0] : resource
  return typeof sole === 'string' ? sole : null
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
    if (type === TXN_TOKEN) {
      return {
        verify(nowSeconds) {
          const token = tokens.readTransaction(value, nowSeconds)
          const transaction = transactionIn(token.claims)
          return { ...authorityOf(token, issuer, personOf(token)), transaction }
        },
      }
    }
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
    // What hangs on this token falls with it, also where the key that vouches for it is no longer believed.
    lineage: [...token.lineage, nameOf('token', token.jti), nameOf('key', token.kid)],
    names: [...namesOf(token.claims, token.kid)],
    receipts: textsOf(token.claims['receipts']),
    once: null,
    transaction: null,
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
