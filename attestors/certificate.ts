/**
 * Certificates (RFC 5280 §4) of the machines' documents. What Node does not tell (key usage bits, path length,
 * critical extensions) is read from the same bytes that OpenSSL verifies, and kept in one object: whoever verifies a
 * signature with its key judges the very names and chain that belong to that key. No I/O. No clock.
 */

import { createHash, type KeyObject, X509Certificate } from 'node:crypto'
import { Refusal } from '../src/refusal.ts'
import { epochSeconds } from '../src/units.ts'
import {
  booleanOf,
  type Element,
  explicit,
  implicit,
  type Members,
  membersOf,
  oidOf,
  onlyMember,
  readDer,
  smallInteger,
  TAG,
} from './der.ts'

/** One certificate, read once. Nothing in it is believed before its chain is judged (`chain.ts`). */
export type Certificate = {
  readonly x509: X509Certificate
  readonly key: KeyObject
  /** SHA-256 of the DER, lower-case hexadecimal: what a root is pinned by. */
  readonly fingerprint: string
  /** The names in DER, compared byte by byte (RFC 5280 §7.1 allows no more than this finds). */
  readonly issuer: Buffer
  readonly subject: Buffer
  readonly serial: Buffer
  /** Epoch seconds, both inclusive. */
  readonly notBefore: number
  readonly notAfter: number
  /** The object identifier of the signature's algorithm, as `oidOf` writes it. */
  readonly algorithm: string
  readonly extensions: Extensions
}

/** What the extensions of a certificate allow it (RFC 5280 §4.2). */
export type Extensions = {
  /** Present for an authority; its path length is null where there is no limit. */
  readonly authority: { readonly pathLength: number | null } | null
  readonly usage: Usage | null
  /** Object identifiers of extended key usage; null where the certificate says nothing. */
  readonly purposes: readonly string[] | null
  /** DNS names, in lower case. */
  readonly names: readonly string[]
  /** URIs, as they are written. */
  readonly uris: readonly string[]
  /** What it says of the key that signed it, in DER; null for nothing. A hint: only a signature tells. */
  readonly issuerKey: Buffer | null
  /** Whether it limits the names below it, critical or not. Whoever cannot judge such limits refuses it. */
  readonly limitsNames: boolean
  /** Critical extensions that are not known here, by object identifier: whoever has one is refused. */
  readonly unknown: readonly string[]
}

/** The bits of key usage that matter to signatures (RFC 5280 §4.2.1.3). */
export type Usage = {
  readonly digitalSignature: boolean
  readonly keyCertSign: boolean
  readonly crlSign: boolean
}

const VERSION_3 = 2
const DIGITAL_SIGNATURE = 0x80
const KEY_CERT_SIGN = 0x04
const CRL_SIGN = 0x02
const DNS_NAME = implicit(2)
const URI_NAME = implicit(6)

const EXTENSION = {
  keyUsage: '551d0f',
  alternativeNames: '551d11',
  basicConstraints: '551d13',
  certificatePolicies: '551d20',
  extendedKeyUsage: '551d25',
} as const

/** Not among those above: nobody here judges them, so that a critical one is refused. */
const NAME_CONSTRAINTS = '551d1e'
const AUTHORITY_KEY = '551d23'

/**
 * Reads one certificate.
 * @param der the whole of it, nothing before or after
 * @throws Refusal `document_malformed`
 */
export function readCertificate(der: Buffer): Certificate {
  const whole = membersOf(readDer(der))
  const content = membersOf(whole.take(TAG.sequence))
  const algorithm = whole.take(TAG.sequence)
  whole.take(TAG.bitString)
  whole.end()

  const version = content.maybe(explicit(0))
  if (version === undefined || smallInteger(onlyMember(version, TAG.integer)) !== VERSION_3) {
    throw malformed('not of version 3')
  }
  const serial = content.take(TAG.integer).content
  // The algorithm stands inside and outside of what is signed, and has to be the same.
  if (!content.take(TAG.sequence).whole.equals(algorithm.whole)) throw malformed('two algorithms')
  const issuer = content.take(TAG.sequence).whole
  content.take(TAG.sequence)
  const subject = content.take(TAG.sequence).whole
  content.take(TAG.sequence)
  const extensions = readExtensions(content)

  const { x509, key } = opened(der)
  return {
    x509,
    key,
    fingerprint: createHash('sha256').update(der).digest('hex'),
    issuer,
    subject,
    serial,
    notBefore: epochSeconds(x509.validFromDate.getTime()),
    notAfter: epochSeconds(x509.validToDate.getTime()),
    algorithm: oidOf(membersOf(algorithm).take(TAG.oid)),
    extensions,
  }
}

/**
 * Reads the certificates of a PEM file, in its order.
 * @throws Error when there is none; Refusal `document_malformed`
 */
export function readPem(text: string): readonly Certificate[] {
  const blocks = text.match(
    /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g,
  )
  if (blocks === null) throw new Error('holds no certificate in PEM')
  return blocks.map((block) =>
    readCertificate(Buffer.from(block.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64')),
  )
}

function opened(der: Buffer): { x509: X509Certificate; key: KeyObject } {
  try {
    const x509 = new X509Certificate(der)
    return { x509, key: x509.publicKey }
  } catch (cause) {
    const detail = { encoding: 'X.509', problem: 'OpenSSL cannot read the certificate' }
    throw new Refusal('document_malformed', detail, { cause })
  }
}

function readExtensions(content: Members): Extensions {
  // Unique identifiers of issuer and subject, which nobody has used since 1993.
  const list = content.maybe(explicit(3))
  content.end()
  const found = new Map<string, { critical: boolean; value: Element }>()
  for (const element of list === undefined ? [] : onlyMember(list, TAG.sequence).children) {
    const extension = membersOf(element)
    const oid = oidOf(extension.take(TAG.oid))
    const flag = extension.maybe(TAG.boolean)
    const value = readDer(extension.take(TAG.octetString).content)
    extension.end()
    if (found.has(oid)) throw malformed('an extension is repeated')
    found.set(oid, { critical: flag !== undefined && booleanOf(flag), value })
  }
  const known: readonly string[] = Object.values(EXTENSION)
  const of = (oid: string) => found.get(oid)?.value
  return {
    authority: readAuthority(of(EXTENSION.basicConstraints)),
    usage: readUsage(of(EXTENSION.keyUsage)),
    purposes: readPurposes(of(EXTENSION.extendedKeyUsage)),
    names: readNames(of(EXTENSION.alternativeNames), DNS_NAME).map((name) => name.toLowerCase()),
    uris: readNames(of(EXTENSION.alternativeNames), URI_NAME),
    issuerKey: of(AUTHORITY_KEY)?.whole ?? null,
    limitsNames: found.has(NAME_CONSTRAINTS),
    unknown: [...found]
      .filter(([oid, { critical }]) => critical && !known.includes(oid))
      .map(([oid]) => oid),
  }
}

function readAuthority(value: Element | undefined): Extensions['authority'] {
  if (value === undefined) return null
  const constraints = membersOf(value)
  const flag = constraints.maybe(TAG.boolean)
  const limit = constraints.maybe(TAG.integer)
  constraints.end()
  if (flag === undefined || !booleanOf(flag)) {
    if (limit !== undefined) throw malformed('a path length without authority')
    return null
  }
  return { pathLength: limit === undefined ? null : smallInteger(limit) }
}

function readUsage(value: Element | undefined): Usage | null {
  if (value === undefined) return null
  if (value.tag !== TAG.bitString) throw malformed('key usage is no bit string')
  const bits = value.content[1] ?? 0
  return {
    digitalSignature: (bits & DIGITAL_SIGNATURE) !== 0,
    keyCertSign: (bits & KEY_CERT_SIGN) !== 0,
    crlSign: (bits & CRL_SIGN) !== 0,
  }
}

function readPurposes(value: Element | undefined): readonly string[] | null {
  if (value === undefined) return null
  if (value.tag !== TAG.sequence) throw malformed('extended key usage is no list')
  return value.children.map((purpose) => {
    if (purpose.tag !== TAG.oid) throw malformed('a purpose is no object identifier')
    return oidOf(purpose)
  })
}

/** The alternative names of one kind (RFC 5280 §4.2.1.6). */
function readNames(value: Element | undefined, kind: number): readonly string[] {
  if (value === undefined) return []
  if (value.tag !== TAG.sequence) throw malformed('alternative names are no list')
  return value.children
    .filter(({ tag }) => tag === kind)
    .map(({ content }) => content.toString('latin1'))
}

function malformed(problem: string): Refusal {
  return new Refusal('document_malformed', { encoding: 'X.509', problem })
}
