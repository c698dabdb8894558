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

/** The signature's last character holds unused bits; this sets one of them. */
export function aliased(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(token.slice(-1))
  return token.slice(0, -1) + alphabet[last + 1]
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
