/**
 * Attestation documents of AWS Nitro Enclaves and of instances with a NitroTPM: what code runs, measured by the
 * hypervisor and bound to our challenge. A document says what runs, not who may run it: it is second evidence, joined
 * to a first one by the role or the instance that the hypervisor measured or named. No I/O. No clock.
 */

import type { Attested } from '../../src/identity.ts'
import { few, Refusal } from '../../src/refusal.ts'
import { type Certificate, readCertificate } from '../certificate.ts'
import { checkChain, type KnownChains } from '../chain.ts'
import { checkAge, checkAnswer, decodeDocument } from '../document.ts'
import { signedFacts } from '../facts.ts'
import { readSigned, verifySigned } from './cose.ts'
import { type Measured, type NitroPayload, type Registers, readPayload } from './payload.ts'
import { checkRegisters, joinsInstance, joinsRole, type MeasurementRules } from './registers.ts'

/** What a document is judged by. */
export type NitroDocumentOptions = {
  /** What it has to repeat as its nonce. */
  readonly challenge: string
  readonly rules: MeasurementRules
  /** Fingerprints of the roots that are believed. Default: that of AWS. */
  readonly roots?: readonly string[]
  /** Chains that held before. */
  readonly known?: KnownChains
}

/** What a document proved. */
export type NitroResult = Attested & {
  readonly measured: Measured
  readonly instance: string
  readonly registers: Registers
  /** What the code that was measured put there: a key of its own, or its digest. Null where it put nothing. */
  readonly publicKey: Buffer | null
  readonly userData: Buffer | null
}

/** SHA-256 of the DER of AWS's root for Nitro, as AWS publishes it beside the certificate. */
export const AWS_NITRO_ROOT = '641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b'

/** A payload of at most 16 KiB and what is around it. */
const MAX_BYTES = 17_408

/**
 * Verifies a document.
 * @param document the COSE_Sign1 message as the device returned it, in base64
 * @throws Refusal `evidence_too_large`, `document_malformed`, `algorithm_refused`, `claim_invalid`,
 *   `certificate_untrusted`, `signature_invalid`, `challenge_unknown`, `token_premature`, `token_stale`,
 *   `measurement_refused`
 */
export function verifyNitroDocument(
  document: string,
  options: NitroDocumentOptions,
  nowSeconds: number,
): NitroResult {
  const message = readSigned(decodeDocument(document, MAX_BYTES))
  const payload = readPayload(message.payload)
  const { roots = [AWS_NITRO_ROOT], known } = options
  const chain = readChain(payload, roots, (der) => known?.read(der) ?? readCertificate(der))
  checkChain(chain, { nowSeconds, ...(known && { known }) })
  verifySigned(message, chain[0])

  checkAnswer(payload.nonce, options.challenge)
  checkAge(payload.issuedAt, nowSeconds)
  checkRegisters(payload, options.rules)
  const { module, instance, measured, registers, publicKey, userData, issuedAt } = payload
  return {
    subject: module,
    facts: signedFacts({ 'nitro.measured': true }, issuedAt, 'A', 'attestation document'),
    lineage: [`nitro:${module}`],
    issuedAt,
    expiresAt: Math.min(...chain.map(({ notAfter }) => notAfter)),
    measured,
    instance,
    registers,
    publicKey,
    userData,
  }
}

/**
 * The challenge that a document says it answers, so that one for another is refused at no cost. Nothing is proved.
 * @throws Refusal `evidence_too_large`, `document_malformed`, `algorithm_refused`, `claim_invalid`, `challenge_unknown`
 */
export function claimedNitroChallenge(document: string): string {
  const { nonce } = readPayload(readSigned(decodeDocument(document, MAX_BYTES)).payload)
  if (nonce !== null && nonce.length > 0) return nonce.toString('latin1')
  throw new Refusal('challenge_unknown', { expected: 'a nonce', found: 'none' })
}

/**
 * Whether a document and an identity of AWS name the same machine by what AWS signed: the instance, where the identity
 * names one, or else the role. Only enclaves measure a role; a NitroTPM names its instance.
 */
export function joinsIdentity(
  { measured, instance, registers }: NitroResult,
  identity: { readonly roleArn?: string | undefined; readonly instance?: string | undefined },
): boolean {
  if (measured === 'tpm') return identity.instance === instance
  if (identity.instance !== undefined) return joinsInstance(registers, identity.instance)
  return identity.roleArn !== undefined && joinsRole(registers, identity.roleArn)
}

/** The bundle names its own root; what it is believed for is its fingerprint. */
function readChain(
  { certificate, bundle }: NitroPayload,
  roots: readonly string[],
  read: (der: Buffer) => Certificate,
): readonly [Certificate, ...Certificate[]] {
  const leaf = read(certificate)
  const authorities = bundle.map(read)
  const found = authorities[0]?.fingerprint ?? ''
  if (!roots.includes(found)) {
    const problem = 'the root is not a pinned one'
    throw new Refusal('certificate_untrusted', { problem, expected: few(roots), found })
  }
  return [leaf, ...authorities.reverse()]
}
