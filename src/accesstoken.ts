/**
 * Our own access tokens read back: signed and sealed ones alike. What is said here of a token holds for its text alone;
 * whether it was revoked is another question.
 */

import type { SigningKeys } from './keys.ts'
import type { JsonObject } from './net/json.ts'
import { parseJwt, soleAudience } from './net/jwt.ts'
import { verifySignature } from './net/signature.ts'
import { looksOpaque, openToken } from './opaque.ts'
import { type Confirmation, readConfirmation } from './possession.ts'
import { printable, REASONS, Refusal } from './refusal.ts'
import { TOKEN_TYPE } from './token.ts'
import { TXN_TOKEN_TYPE } from './transaction.ts'

/** A token of ours that is not over. Times in epoch seconds. */
export type AccessToken = {
  /** Every claim, as it is in the JWT. */
  readonly claims: JsonObject
  /** The key that signed or sealed it. */
  readonly kid: string
  readonly format: 'jwt' | 'opaque'
  readonly jti: string
  /** Canonical URI of the workload or user. */
  readonly subject: string
  /** Canonical URI of the current actor. */
  readonly clientId: string
  readonly audience: string
  readonly scopes: readonly string[]
  readonly issuedAt: number
  readonly expiresAt: number
  /** Hashes, as `claims.lineage` has them. */
  readonly lineage: readonly string[]
  /** The key that its holder has to prove; null for a bearer token. */
  readonly confirmation: Confirmation | null
}

/** Reads tokens of one broker. */
export type AccessTokens = {
  /**
   * Checks that we made it, with a key that is still published, and that it is not over (RFC 9068 §4). Runs to its end
   * at once.
   * @throws Refusal one of the reasons of bad evidence; which one is for the operator alone
   */
  read(token: string, nowSeconds: number): AccessToken
  /** The same, for whoever may not learn what is wrong with a token: null for everything that is none, or no longer one. */
  find(token: string, nowSeconds: number): AccessToken | null
  /**
   * The same of a transaction token, which is good for nothing that an access token is good for. Whoever asked for it
   * (`req_wl`) stands as its client.
   * @throws Refusal as `read`
   */
  readTransaction(token: string, nowSeconds: number): AccessToken
}

/** @param issuer our issuer identifier, exactly as published */
export function accessTokens(issuer: string, keys: Pick<SigningKeys, 'readers'>): AccessTokens {
  function checked({ kid, claims }: Opened, nowSeconds: number) {
    if (claims['iss'] !== issuer) {
      throw new Refusal('issuer_untrusted', { found: printable(claims['iss']), expected: issuer })
    }
    const expiresAt = number(claims, 'exp')
    if (expiresAt <= nowSeconds) {
      throw new Refusal('token_expired', { expiredAt: expiresAt, now: nowSeconds })
    }
    return { claims, kid, expiresAt }
  }

  function read(token: string, nowSeconds: number): AccessToken {
    const readers = keys.readers(nowSeconds)
    const format = looksOpaque(token) ? 'opaque' : 'jwt'
    const opened =
      format === 'opaque' ? openToken(token, readers) : openJwt(token, readers, TOKEN_TYPE)
    const found = checked(opened, nowSeconds)
    return { ...described(found.claims), ...found, format }
  }

  return {
    read,
    find(token, nowSeconds) {
      try {
        return read(token, nowSeconds)
      } catch (error) {
        if (error instanceof Refusal && REASONS[error.reason].answer === 'evidence') return null
        throw error
      }
    },
    readTransaction(token, nowSeconds) {
      const opened = openJwt(token, keys.readers(nowSeconds), TXN_TOKEN_TYPE)
      const found = checked(opened, nowSeconds)
      const { req_wl: client_id, ...claims } = found.claims
      return { ...described({ ...claims, client_id: client_id ?? null }), ...found, format: 'jwt' }
    },
  }
}

type Opened = { readonly kid: string; readonly claims: JsonObject }

type Readers = ReturnType<SigningKeys['readers']>

/** ES256 and one type only: nothing else that this key signs is such a token, whatever it holds. */
function openJwt(token: string, readers: Readers, type: string): Opened {
  const jwt = parseJwt(token, { types: [type] })
  const { kid, typ } = jwt.header
  if (typ !== type) {
    throw new Refusal('type_refused', { expected: type, found: printable(typ) })
  }
  const reader = readers.find((known) => known.kid === kid)
  if (reader === undefined) throw new Refusal('key_unknown', { kid })
  verifySignature(jwt, reader.publicKey, ['ES256'])
  return { kid, claims: jwt.claims }
}

/** What we sign has this shape. Anything else was signed with our key, and by another hand or version. */
function described(
  claims: JsonObject,
): Omit<AccessToken, 'claims' | 'kid' | 'format' | 'expiresAt'> {
  const scope = claims['scope']
  const audience = soleAudience(claims)
  if (audience === undefined) throw invalid('aud')
  return {
    jti: string(claims, 'jti'),
    subject: string(claims, 'sub'),
    clientId: string(claims, 'client_id'),
    audience,
    scopes: scope === undefined ? [] : string(claims, 'scope').split(' '),
    issuedAt: number(claims, 'iat'),
    lineage: lineageOf(claims['lineage']),
    confirmation: confirmationOf(claims['cnf']),
  }
}

function lineageOf(value: JsonObject[string] | undefined): readonly string[] {
  if (!Array.isArray(value)) throw invalid('lineage')
  return value.map((name) => {
    if (typeof name !== 'string') throw invalid('lineage')
    return name
  })
}

function confirmationOf(value: JsonObject[string] | undefined): Confirmation | null {
  const confirmation = readConfirmation(value)
  if (confirmation === undefined) throw invalid('cnf')
  return confirmation
}

function string(claims: JsonObject, name: string): string {
  const value = claims[name]
  if (typeof value !== 'string') throw invalid(name)
  return value
}

function number(claims: JsonObject, name: string): number {
  const value = claims[name]
  if (typeof value !== 'number') throw invalid(name)
  return value
}

function invalid(claim: string): Refusal {
  return new Refusal('claim_invalid', { claim })
}
