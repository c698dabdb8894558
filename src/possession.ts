/**
 * Which key the caller holds. A token is bound to it, so that nobody else can use the token (RFC 9449, RFC 8705); and
 * evidence can be pinned to it.
 */

import { hash, timingSafeEqual } from 'node:crypto'
import type { JudgeCertificates } from './clientcertificate.ts'
import { proofReader } from './dpop.ts'
import { isObject, type Json } from './net/json.ts'
import type { Nonces } from './nonce.ts'
import type { Sender } from './policy/question.ts'
import { printable, Refusal } from './refusal.ts'

/** How a token names its holder's key (RFC 7800 `cnf`): a JWK thumbprint (RFC 9449 §6.1), or a certificate's (RFC 8705 §3.1). */
export type Confirmation = { readonly jkt: string } | { readonly 'x5t#S256': string }

/** What a request shows of its caller's keys, unverified. Made by `src/http/proofs.ts`. */
export type Proofs = {
  /** The `DPoP` header as sent; null when it was not. Node joins repeated ones with a comma, which no proof has. */
  readonly dpop: string | null
  /** The thumbprint of the key that the request asks to be bound to (`dpop_jkt`); null when it names none. */
  readonly jkt: string | null
  /** The access token beside the proof, which has to be made for it (`ath`); null where there is none. */
  readonly token: string | null
  /** The request as a proof has to name it: its method, and the URL as published, never the Host header's. */
  readonly method: string
  readonly url: string
  /**
   * DER of the certificates that the connection showed, or a header, leaf first; empty for none. The handshake has
   * proved the leaf's key, and nothing else about them.
   */
  readonly certificates: readonly Buffer[]
  /** Who signed the certificates is judged elsewhere: they are the very credential of the request. */
  readonly areCredential: boolean
  /** Set where nobody has proved the leaf's key here: the certificates were named in a header that anybody may copy. */
  readonly areHearsay?: boolean
}

/** The key that a caller has proved, or named, or none. */
export type Held = {
  readonly sender: Sender
  readonly confirmation: Confirmation | null
  /** The proof, where it is good only once; `until` in epoch seconds. */
  readonly proof: { readonly key: string; readonly until: number } | null
  /**
   * Set where the key was named, and not proved. That is enough to bind what is given out, since a lie binds it to a
   * key that its liar does not hold. It is no answer to a key that is asked for.
   */
  readonly isHearsay?: boolean
}

/**
 * Judges what a request shows of keys. Runs to its end at once.
 * @throws Refusal
 */
export type Prove = (proofs: Proofs, nowSeconds: number) => Held

/** Nothing was shown. */
export const UNBOUND: Held = { sender: 'bearer', confirmation: null, proof: null }

/**
 * A caller that shows a DPoP proof has its tokens bound to that key (RFC 9449 §5), else to its certificate's, if it shows
 * one (RFC 8705 §3). The proof comes first because it is made for this request; a certificate may be that of a mesh or
 * of a proxy on the way, which the caller does not know of. A bad proof is refused, whatever certificate is beside it.
 *
 * @param nonces that proofs have to repeat
 * @param judge refuses certificates that bind nothing
 */
export function possession(nonces: Nonces, judge: JudgeCertificates): Prove {
  const readProof = proofReader()
  return ({ dpop, jkt, token, method, url, certificates, areCredential, areHearsay }, now) => {
    if (dpop !== null) {
      const checkNonce = (nonce: string | undefined) => nonces.check(nonce, now)
      const proof = readProof(dpop, { method, url, token, checkNonce }, now)
      if (jkt !== null && jkt !== proof.jkt) {
        const detail = { claim: 'dpop_jkt', expected: printable(jkt), found: proof.jkt }
        throw new Refusal('proof_mismatched', detail)
      }
      return { sender: 'dpop', confirmation: { jkt: proof.jkt }, proof }
    }
    if (jkt !== null) throw new Refusal('proof_missing')
    const [leaf] = certificates
    if (leaf === undefined) return UNBOUND
    judge(certificates, now, areCredential)
    const confirmation = { 'x5t#S256': thumbprint(leaf) }
    return { sender: 'mtls', confirmation, proof: null, isHearsay: areHearsay === true }
  }
}

/**
 * Reads a `cnf` claim (RFC 7800 §3.1).
 * @returns null for an absent one; undefined for one that is not understood, which is not to be taken for none: the
 *   token would be good for everybody
 */
export function readConfirmation(claim: Json | undefined): Confirmation | null | undefined {
  if (claim === undefined) return null
  if (!isObject(claim) || Object.keys(claim).length !== 1) return undefined
  const { jkt, 'x5t#S256': x5t } = claim
  if (typeof jkt === 'string') return { jkt }
  return typeof x5t === 'string' ? { 'x5t#S256': x5t } : undefined
}

/** How strongly a token with this confirmation is bound. */
export function senderOf(confirmation: Confirmation | null): Sender {
  if (confirmation === null) return 'bearer'
  return 'jkt' in confirmation ? 'dpop' : 'mtls'
}

/**
 * How a token with this confirmation is used: by the scheme `DPoP` with a proof, else as a bearer token (RFC 9449 §7.1;
 * RFC 8705 §3 has no scheme of its own).
 */
export function schemeOf(confirmation: Confirmation | null): 'Bearer' | 'DPoP' {
  return senderOf(confirmation) === 'dpop' ? 'DPoP' : 'Bearer'
}

/** SHA-256 over the DER of a certificate, base64url (RFC 8705 §3.1). */
export function thumbprint(certificate: Buffer): string {
  return hash('sha256', certificate, 'base64url')
}

/** The key that the caller has shown to hold; null for none, and for one that was merely named. */
export function provedKey({ confirmation, isHearsay = false }: Held): Confirmation | null {
  return isHearsay ? null : confirmation
}

/** Whether the key that was proved is the one that a token is bound to. An unbound token asks for none. */
export function proves(holding: Held, demanded: Confirmation | null): boolean {
  if (demanded === null) return true
  const held = provedKey(holding)
  if (held === null) return false
  const [[method, print] = []] = Object.entries(demanded)
  const [[heldMethod, heldPrint] = []] = Object.entries(held)
  const [expected, found] = [Buffer.from(String(print)), Buffer.from(String(heldPrint))]
  return (
    method === heldMethod && expected.length === found.length && timingSafeEqual(expected, found)
  )
}
