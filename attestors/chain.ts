/**
 * Judges a chain of certificates from a leaf to a pinned root (RFC 5280 §6.1, without revocation lists, which neither
 * platform has for these). Nothing is fetched: an address inside a certificate is the caller's until the chain holds
 * (CVE-2026-45796). Chains and keys are bounded before any signature is verified (SPIRE 1.14.2). No I/O. No clock.
 */

import { hash, type KeyObject } from 'node:crypto'
import { printable, Refusal } from '../src/refusal.ts'
import { type Certificate, readCertificate } from './certificate.ts'

/** What a chain is judged by. */
export type ChainRules = {
  readonly nowSeconds: number
  /** Object identifier of the extended key usage that the leaf has to have. Left out: none. */
  readonly purpose?: string
  /** What was verified before. Left out: every signature is verified anew. */
  readonly known?: KnownChains
}

/** The longest chain, leaf and root included: AWS's has five, Microsoft's four. */
export const MAX_CHAIN = 6
const MAX_CANDIDATES = 16

const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 4096
/** A large exponent costs as much as many signatures. */
const RSA_EXPONENT = 65_537n
const CURVES: readonly unknown[] = ['prime256v1', 'secp384r1', 'secp521r1']

/** PKCS #1 v1.5 and ECDSA with SHA-256, SHA-384 and SHA-512: nothing with SHA-1. */
const ALGORITHMS: ReadonlySet<string> = new Set([
  '2a864886f70d01010b',
  '2a864886f70d01010c',
  '2a864886f70d01010d',
  '2a8648ce3d040302',
  '2a8648ce3d040303',
  '2a8648ce3d040304',
])

/**
 * Judges a whole chain.
 * @param chain the leaf first, the pinned root last: the root is believed because whoever asks has pinned it
 * @throws Refusal `certificate_untrusted`
 */
export function checkChain(chain: readonly Certificate[], rules: ChainRules): void {
  const fault = faultOf(chain, rules)
  if (fault !== null) throw untrusted(fault)
  rules.known?.add(chain)
}

/**
 * Finds the chain of a leaf among certificates that the operator has.
 * @returns the chain, judged: the leaf first, the root last
 * @throws Refusal `certificate_untrusted`
 */
export function findChain(
  leaf: Certificate,
  trusted: {
    readonly roots: readonly Certificate[]
    readonly intermediates: readonly Certificate[]
  },
  rules: ChainRules,
): readonly Certificate[] {
  let fault: Fault = { certificate: leaf, problem: 'the certificate of its issuer is missing' }
  let tried = 0
  for (const chain of chainsOf([leaf], trusted.roots, trusted.intermediates)) {
    const found = faultOf(chain, rules)
    if (found === null) {
      rules.known?.add(chain)
      return chain
    }
    fault = found
    tried += 1
    if (tried === MAX_CANDIDATES) break
  }
  throw untrusted(fault)
}

/** As many as the regions of a cloud have, with those before them. */
const MAX_KNOWN = 512

/**
 * Certificates of chains that held, by their exact bytes: what they say, and who signed them. A signature over the same
 * bytes by the same key stays what it was; dates, purposes and all other rules are judged anew each time. Nobody gets
 * in whose chain does not lead to a root, so that strangers push nothing out.
 */
export class KnownChains {
  /** By fingerprint, the longest unused first. */
  private readonly certificates = new Map<string, Certificate>()
  /** Fingerprints of whom a certificate was signed by, by its own. */
  private readonly signers = new Map<string, string>()
  private readonly most: number

  /** @param most certificates that are kept */
  constructor(most = MAX_KNOWN) {
    this.most = most
  }

  /** As `readCertificate`. @throws Refusal `document_malformed` */
  read(der: Buffer): Certificate {
    return this.certificates.get(hash('sha256', der, 'hex')) ?? readCertificate(der)
  }

  signed(certificate: Certificate, issuer: Certificate): boolean {
    return this.signers.get(certificate.fingerprint) === issuer.fingerprint
  }

  /** Remembers a chain that was judged and found good. */
  add(chain: readonly Certificate[]): void {
    for (const [index, certificate] of chain.entries()) {
      const { fingerprint } = certificate
      this.certificates.delete(fingerprint)
      this.certificates.set(fingerprint, certificate)
      const issuer = chain[index + 1]
      if (issuer !== undefined) this.signers.set(fingerprint, issuer.fingerprint)
    }
    for (const oldest of this.certificates.keys()) {
      if (this.certificates.size <= this.most) return
      this.certificates.delete(oldest)
      this.signers.delete(oldest)
    }
  }
}

type Fault = { readonly certificate: Certificate | undefined; readonly problem: string }

/** Every chain that the names allow; signatures tell which of them is one. */
function* chainsOf(
  chain: readonly Certificate[],
  roots: readonly Certificate[],
  intermediates: readonly Certificate[],
): Generator<readonly Certificate[]> {
  const issuer = chain.at(-1)?.issuer
  if (issuer === undefined || chain.length === MAX_CHAIN) return
  for (const root of roots) {
    if (root.subject.equals(issuer)) yield [...chain, root]
  }
  for (const next of intermediates) {
    if (next.subject.equals(issuer) && !chain.includes(next)) {
      yield* chainsOf([...chain, next], roots, intermediates)
    }
  }
}

function faultOf(chain: readonly Certificate[], rules: ChainRules): Fault | null {
  const [leaf] = chain
  if (leaf === undefined || chain.length < 2 || chain.length > MAX_CHAIN) {
    const problem = `a chain has 2 to ${MAX_CHAIN} certificates, this one ${chain.length}`
    return { certificate: leaf, problem }
  }
  for (const [index, certificate] of chain.entries()) {
    const problem =
      commonProblem(certificate, rules) ??
      (index === 0 ? leafProblem(certificate, rules) : authorityProblem(certificate, index))
    if (problem !== null) return { certificate, problem }
  }
  // From the root down: whoever makes up a chain below a true root is found out by the first signature.
  for (let index = chain.length - 2; index >= 0; index -= 1) {
    const [certificate, issuer] = [chain[index], chain[index + 1]]
    if (certificate === undefined || issuer === undefined) continue
    const problem = signatureProblem(certificate, issuer, rules)
    if (problem !== null) return { certificate, problem }
  }
  return null
}

function commonProblem(
  { key, notBefore, notAfter, extensions }: Certificate,
  { nowSeconds, purpose }: ChainRules,
): string | null {
  if (nowSeconds < notBefore) return `not valid for another ${notBefore - nowSeconds} s`
  if (nowSeconds > notAfter) return `expired ${nowSeconds - notAfter} s ago`
  const { unknown, purposes } = extensions
  if (unknown.length > 0) return `a critical extension is not known here: ${unknown.join(', ')}`
  if (purpose !== undefined && purposes !== null && !purposes.includes(purpose)) {
    return 'not for this purpose (extended key usage)'
  }
  return keyProblem(key)
}

function leafProblem({ extensions }: Certificate, { purpose }: ChainRules): string | null {
  if (extensions.authority !== null) return 'an authority signs no documents'
  if (extensions.usage?.digitalSignature !== true) return 'its key usage is not digitalSignature'
  if (purpose !== undefined && extensions.purposes === null) return 'no extended key usage'
  return null
}

/** @param index how many certificates are below this one, the leaf included */
function authorityProblem({ extensions }: Certificate, index: number): string | null {
  const { authority, usage } = extensions
  if (authority === null) return 'not an authority'
  if (usage?.keyCertSign !== true) return 'its key usage is not keyCertSign'
  const { pathLength } = authority
  if (pathLength !== null && index - 1 > pathLength) return `its path length is ${pathLength}`
  return null
}

function signatureProblem(
  certificate: Certificate,
  issuer: Certificate,
  { known }: ChainRules,
): string | null {
  if (!certificate.issuer.equals(issuer.subject)) return 'its issuer is not the next certificate'
  if (!ALGORITHMS.has(certificate.algorithm)) {
    return `signed with an algorithm that is refused: ${certificate.algorithm}`
  }
  if (known?.signed(certificate, issuer) === true) return null
  return certificate.x509.verify(issuer.key) ? null : 'its issuer did not sign it'
}

/**
 * Judges a key before its first signature is verified: what it costs is for whoever made it to choose.
 * @throws Refusal `certificate_untrusted`
 */
export function checkKey(certificate: Certificate): void {
  const problem = keyProblem(certificate.key)
  if (problem !== null) throw untrusted({ certificate, problem })
}

function keyProblem({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject) {
  if (type === 'ec') return CURVES.includes(details.namedCurve) ? null : 'its curve is refused'
  if (type !== 'rsa') return `its type of key is refused: ${type}`
  const { modulusLength = 0, publicExponent } = details
  const fits = modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS
  if (!fits) return `its key has ${modulusLength} bits, not ${MIN_RSA_BITS} to ${MAX_RSA_BITS}`
  return publicExponent === RSA_EXPONENT ? null : 'the exponent of its key is not 65537'
}

function untrusted({ certificate, problem }: Fault): Refusal {
  const subject = printable(oneLine(certificate?.x509.subject))
  const issuer = printable(oneLine(certificate?.x509.issuer))
  return new Refusal('certificate_untrusted', { subject, issuer, problem })
}

function oneLine(name = ''): string {
  return name.replaceAll('\n', ', ')
}
