/**
 * The one form of CMS SignedData (RFC 5652 §5) in which Azure signs its attested documents: one signer, content
 * inside, no signed attributes, so that the signature is over the content itself (PKCS #1 v1.5, SHA-256). Azure writes
 * `sha256WithRSAEncryption` where a digest belongs, which general libraries refuse. Everything else that CMS allows is
 * refused here: the less it can say, the less two readers can disagree on. No I/O. No clock.
 */

import { verify } from 'node:crypto'
import { Refusal } from '../../src/refusal.ts'
import { type Certificate, readCertificate } from '../certificate.ts'
import { checkKey } from '../chain.ts'
import {
  type Element,
  explicit,
  membersOf,
  oidOf,
  onlyMember,
  readDer,
  smallInteger,
  TAG,
} from '../der.ts'

/** A signed message, its signature not verified yet. */
export type SignedMessage = {
  /** The only content there is: what is verified is what is read (SPIRE aws_iid, 1.14.6). */
  readonly content: Buffer
  readonly signature: Buffer
  /** The certificate that the signer names: its key verifies, its names and chain are judged (SPIRE azure_imds, 1.15.1). */
  readonly signer: Certificate
}

const OID_DATA = '2a864886f70d010701'
const OID_SIGNED_DATA = '2a864886f70d010702'
const OID_RSA = '2a864886f70d010101'
const OID_SHA256_RSA = '2a864886f70d01010b'
const OID_SHA256 = '608648016503040201'

const DIGESTS: readonly string[] = [OID_SHA256, OID_SHA256_RSA]
const SIGNATURES: readonly string[] = [OID_RSA, OID_SHA256_RSA]

const VERSION_1 = 1
/** Azure sends one, the signer's. */
const MAX_CERTIFICATES = 4

/** Reads one certificate of a message, as `readCertificate`. */
export type ReadCertificate = (der: Buffer) => Certificate

/**
 * Reads a message. Nothing of it is verified.
 * @param read may know certificates of the same bytes already
 * @throws Refusal `document_malformed`, `algorithm_refused`
 */
export function readMessage(bytes: Buffer, read: ReadCertificate = readCertificate): SignedMessage {
  const outer = membersOf(readDer(bytes))
  identified(outer.take(TAG.oid), OID_SIGNED_DATA)
  const signed = membersOf(onlyMember(outer.take(explicit(0)), TAG.sequence))
  outer.end()

  version(signed.take(TAG.integer))
  checkAlgorithm(onlyMember(signed.take(TAG.set), TAG.sequence), DIGESTS)
  const content = readContent(signed.take(TAG.sequence))
  const certificates = signed.take(explicit(0)).children
  const signer = membersOf(onlyMember(signed.take(TAG.set), TAG.sequence))
  signed.end()

  version(signer.take(TAG.integer))
  const named = membersOf(signer.take(TAG.sequence))
  const issuer = named.take(TAG.sequence).whole
  const serial = named.take(TAG.integer).content
  named.end()
  checkAlgorithm(signer.take(TAG.sequence), DIGESTS)
  // Signed attributes would stand here, and the signature would be over them.
  checkAlgorithm(signer.take(TAG.sequence), SIGNATURES)
  const signature = signer.take(TAG.octetString).content
  signer.end()
  return { content, signature, signer: signerOf(certificates, { issuer, serial, read }) }
}

/**
 * Verifies the signature over the content.
 * @throws Refusal `algorithm_refused`, `certificate_untrusted` for the key, `signature_invalid`
 */
export function verifyMessage({ content, signature, signer }: SignedMessage): void {
  const found = signer.key.asymmetricKeyType ?? 'none'
  if (found !== 'rsa') throw new Refusal('algorithm_refused', { expected: 'rsa', found })
  checkKey(signer)
  if (verify('sha256', content, signer.key, signature)) return
  throw new Refusal('signature_invalid', { fingerprint: signer.fingerprint })
}

function readContent(element: Element): Buffer {
  const members = membersOf(element)
  identified(members.take(TAG.oid), OID_DATA)
  const { content } = onlyMember(members.take(explicit(0)), TAG.octetString)
  members.end()
  return content
}

/** The one certificate of this issuer and serial number (RFC 5652 §5.3): the others are not looked at again. */
function signerOf(
  certificates: readonly Element[],
  { issuer, serial, read }: { issuer: Buffer; serial: Buffer; read: ReadCertificate },
): Certificate {
  if (certificates.length > MAX_CERTIFICATES) throw malformed('too many certificates')
  const [signer, ...others] = certificates
    .map(({ whole }) => read(whole))
    .filter((found) => found.issuer.equals(issuer) && found.serial.equals(serial))
  if (signer === undefined) throw malformed('the certificate of the signer is missing')
  if (others.length > 0) throw malformed('two certificates of one serial number')
  return signer
}

/** An algorithm without parameters, or with null for them (RFC 3370 §2, RFC 8017 A.2.4). */
function checkAlgorithm(element: Element, allowed: readonly string[]): void {
  const members = membersOf(element)
  const found = oidOf(members.take(TAG.oid))
  members.maybe(TAG.null)
  members.end()
  if (!allowed.includes(found)) {
    throw new Refusal('algorithm_refused', { expected: allowed, found: found.slice(0, 64) })
  }
}

function version(element: Element): void {
  if (smallInteger(element) !== VERSION_1) throw malformed('not of version 1')
}

function identified(element: Element, expected: string): void {
  if (oidOf(element) !== expected) throw malformed(`another kind of content than ${expected}`)
}

function malformed(problem: string): Refusal {
  return new Refusal('document_malformed', { encoding: 'CMS', problem })
}
