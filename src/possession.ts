/**
 * Which key the caller holds. A token is bound to it, so that nobody else can use the token (RFC 9449, RFC 8705); and
 * evidence can be pinned to it.
 */

import { hash } from 'node:crypto'
import type { Sender } from './policy/question.ts'

/** How a token names its holder's key (RFC 7800 `cnf`): a JWK thumbprint (RFC 9449 §6.1), or a certificate's (RFC 8705 §3.1). */
export type Confirmation = { readonly jkt: string } | { readonly 'x5t#S256': string }

/** What a request shows of its caller's keys, unverified. Made by `src/http/proofs.ts`. */
export type Proofs = {
  /** The `DPoP` header as sent; null when it was not. Node joins repeated ones with a comma, which no proof has. */
  readonly dpop: string | null
  /** The access token beside the proof, which has to be made for it (`ath`); null where there is none. */
  readonly token: string | null
  /** The request as a proof has to name it: its method, and the URL as published, never the Host header's. */
  readonly method: string
  readonly url: string
  /**
   * DER of the certificates that the connection showed, leaf first; empty for none. The handshake has proved the
   * leaf's key, and nothing else about them.
   */
  readonly certificates: readonly Buffer[]
}

/** The key that a caller has proved, or none. */
export type Held = {
  readonly sender: Sender
  readonly confirmation: Confirmation | null
  /** The proof, where it is good only once; `until` in epoch seconds. */
  readonly proof: { readonly key: string; readonly until: number } | null
}

/**
 * Judges what a request shows of keys. Runs to its end at once.
 * @throws Refusal
 */
export type Prove = (proofs: Proofs, nowSeconds: number) => Held

/** Nothing was shown. */
export const UNBOUND: Held = { sender: 'bearer', confirmation: null, proof: null }

/** A caller that shows a certificate has its tokens bound to it (RFC 8705 §3). */
export function possession(): Prove {
  return ({ certificates: [leaf] }) => {
    if (leaf === undefined) return UNBOUND
    return { sender: 'mtls', confirmation: { 'x5t#S256': thumbprint(leaf) }, proof: null }
  }
}

/** SHA-256 over the DER of a certificate, base64url (RFC 8705 §3.1). */
export function thumbprint(certificate: Buffer): string {
  return hash('sha256', certificate, 'base64url')
}
