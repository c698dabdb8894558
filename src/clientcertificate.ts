/**
 * Whether the certificate of a caller may bind a token (RFC 8705 §3). That the caller holds its key is proved already;
 * who signed it matters only where the operator says so. No I/O. No clock.
 */

import { X509Certificate } from 'node:crypto'
import { type Certificate, readCertificate } from '../attestors/certificate.ts'
import { findChain } from '../attestors/chain.ts'
import { Refusal } from './refusal.ts'
import { epochSeconds } from './units.ts'

/** The certificates of `listen.tls.clientCa` as they are now; null where any certificate may bind. */
export type ClientAuthorities = () => readonly Certificate[] | null

/**
 * Judges certificates that a caller shows.
 * @param chain DER, leaf first; not empty
 * @param anySigner whether it does not matter who signed them, because something else judges that
 * @throws Refusal `certificate_malformed`, `certificate_refused`
 */
export type JudgeCertificates = (
  chain: readonly Buffer[],
  nowSeconds: number,
  anySigner: boolean,
) => void

export function certificateJudge(authorities: ClientAuthorities): JudgeCertificates {
  return ([der = Buffer.of(), ...others], nowSeconds, anySigner) => {
    const leaf = opened(der)
    const problem = dateProblem(leaf, nowSeconds)
    if (problem !== null) throw new Refusal('certificate_refused', { problem, now: nowSeconds })
    const roots = anySigner ? null : authorities()
    if (roots === null || roots.some((root) => isSignedBy(leaf, root, nowSeconds))) return
    insistOnChain(der, others, roots, nowSeconds)
  }
}

/** What an authority has signed itself may be an old or plain certificate, as private authorities make them. */
function isSignedBy(leaf: X509Certificate, { x509, key }: Certificate, nowSeconds: number) {
  const mayBe = x509.ca ? leaf.checkIssued(x509) : leaf.raw.equals(x509.raw)
  return mayBe && dateProblem(x509, nowSeconds) === null && leaf.verify(key)
}

/** Others may stand between, if the chain is one by all the rules. */
function insistOnChain(
  der: Buffer,
  others: readonly Buffer[],
  roots: readonly Certificate[],
  nowSeconds: number,
): void {
  try {
    const intermediates = others.map(readCertificate)
    findChain(readCertificate(der), { roots, intermediates }, { nowSeconds })
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const clientCa = 'its chain does not lead to listen.tls.clientCa'
    throw new Refusal('certificate_refused', { ...error.detail, clientCa })
  }
}

function opened(der: Buffer): X509Certificate {
  try {
    const certificate = new X509Certificate(der)
    // OpenSSL stops where the certificate ends; what a token is bound to has to be the certificate alone.
    if (certificate.raw.equals(der)) return certificate
  } catch {
    // It says no more than that.
  }
  throw new Refusal('certificate_malformed', { problem: 'not one X.509 certificate in DER' })
}

function dateProblem({ validFromDate, validToDate }: X509Certificate, now: number): string | null {
  if (now < epochSeconds(validFromDate.getTime())) return 'not valid yet'
  return now > epochSeconds(validToDate.getTime()) ? 'expired' : null
}
