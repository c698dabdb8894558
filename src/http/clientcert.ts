/**
 * `Client-Cert` and `Client-Cert-Chain` (RFC 9440 §2): the certificates of a client, as the proxy that ended its TLS
 * connection forwards them. A strict reader of the structured fields (RFC 8941) that they are. Whether the headers may
 * be believed is decided elsewhere (`certificates.ts`).
 */

import { Refusal } from '../refusal.ts'

/** A byte sequence (RFC 8941 §3.3.5) alone: neither field has parameters. */
const BYTE_SEQUENCE = /^:([A-Za-z0-9+/]*={0,2}):$/

/**
 * Reads `Client-Cert`: one byte sequence. A header that came twice was joined by a comma, which none has.
 * @returns DER of the leaf, unverified
 * @throws Refusal `certificate_malformed`
 */
export function parseClientCert(value: string): Buffer {
  return byteSequence('Client-Cert', value.replace(/^ +| +$/g, ''))
}

/**
 * Reads `Client-Cert-Chain`: a list of byte sequences, which may come in several headers (RFC 9440 §2.3).
 * @returns DER of the certificates above the leaf, in their order; unverified
 * @throws Refusal `certificate_malformed`
 */
export function parseClientCertChain(value: string): readonly Buffer[] {
  const list = value.replace(/^ +| +$/g, '')
  if (list === '') return []
  return list
    .split(',')
    .map((member) => byteSequence('Client-Cert-Chain', member.replace(/^[ \t]+|[ \t]+$/g, '')))
}

/** Padding may be left out, and its bits may be anything (RFC 8941 §4.2.7); the certificate decides what follows. */
function byteSequence(header: string, item: string): Buffer {
  const [, base64] = BYTE_SEQUENCE.exec(item) ?? []
  if (base64 === undefined || !isWhole(base64)) {
    throw new Refusal('certificate_malformed', {
      header,
      problem: 'not a byte sequence (RFC 8941 §3.3.5), which stands between colons',
    })
  }
  return Buffer.from(base64, 'base64')
}

function isWhole(base64: string): boolean {
  return base64.endsWith('=') ? base64.length % 4 === 0 : base64.length % 4 !== 1
}
