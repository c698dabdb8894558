/** Tokens as an attacker makes them, from an issuer's good ones. */

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import type { Draft, FakeIssuer } from './issuer.ts'

/** An issuer that mints good evidence, and lets a test break it first. */
export type Minter = FakeIssuer & { mint(change?: (token: Draft) => void): string }

/** What the issuer would sign. */
export function draftOf(issuer: Minter): Draft {
  let found: Draft | undefined
  issuer.mint((draft) => {
    found = draft
  })
  assert.ok(found)
  return found
}

/** A token, properly signed, that names a claim twice; the first value is an attacker’s. */
export function duplicated(issuer: Minter, name: string): string {
  const { header, claims } = draftOf(issuer)
  const evil = `{${name}:"https://evil.example",`
  return issuer.assemble(JSON.stringify(header), JSON.stringify(claims).replace('{', evil))
}

/**
 * The last character of a segment holds unused bits, unless its bytes come in threes; this sets one of them, in the
 * signature if it can.
 */
export function aliased(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const segments = token.split('.')
  const index = segments.findLastIndex((segment) => segment.length % 4 !== 0)
  assert.notEqual(index, -1, 'no segment of this token has an alias')
  const bump = (segment: string) =>
    segment.slice(0, -1) + alphabet[alphabet.indexOf(segment.slice(-1)) + 1]
  return segments.map((segment, n) => (n === index ? bump(segment) : segment)).join('.')
}

/** The key confusion of old: the public key as an HMAC secret. */
export function hmac(issuer: Minter): string {
  const { header, claims } = draftOf(issuer)
  const pem = issuer.signer.publicKey.export({ type: 'spki', format: 'pem' })
  const sign = (input: string) => createHmac('sha256', pem).update(input).digest()
  return issuer.sign({ header: { ...header, alg: 'HS256' }, claims }, { ...issuer.signer, sign })
}

/** A token with three zero bytes for a signature. */
export function beheaded(token: string): string {
  return `${token.slice(0, token.lastIndexOf('.'))}.AAAA`
}

/** A good token’s signature under other claims. */
export function altered(issuer: Minter): string {
  const [, signature] = issuer.mint().split(/\.(?=[^.]*$)/)
  const { header, claims } = draftOf(issuer)
  const other = issuer.sign({ header, claims: { ...claims, added: true } })
  return `${other.slice(0, other.lastIndexOf('.'))}.${signature}`
}
