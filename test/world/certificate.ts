/** X.509 certificates (RFC 5280 §4.1), because Node reads them and cannot write them. */

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** A certificate that is its own authority, PEM. */
export type Certificate = { readonly cert: string; readonly key: string }

const SEQUENCE = 0x30
const OID_COMMON_NAME = '550403'
const OID_ECDSA_SHA256 = '2a8648ce3d040302'
const OID_ECDSA_SHA384 = '2a8648ce3d040303'
const OID_RSA_SHA256 = '2a864886f70d01010b'
const OID_SUBJECT_ALT_NAME = '551d11'
const OID_BASIC_CONSTRAINTS = '551d13'

/** When a certificate is valid, as `YYYYMMDDHHMMSSZ`. */
export type Validity = { readonly from?: string; readonly until?: string }

/** Names and rights of a certificate, as extensions. */
export type Extension = {
  readonly oid: string
  readonly critical?: boolean
  readonly value: Buffer
}

export type Content = Validity & {
  readonly subject: string
  readonly issuer: string
  /** The public key that it holds, and the private key of who signs it. */
  readonly holder: KeyObject
  readonly signer: KeyObject
  readonly extensions: readonly Extension[]
  /** Default: 1. */
  readonly serial?: number
}

/** Makes any certificate; valid from 1970 until the year 9999 unless told. PEM. */
export function certify(content: Content): string {
  const { subject, issuer, holder, signer, extensions, serial = 1, ...validity } = content
  const { hash, algorithm } = signing(signer)
  const { from = '19700101000000Z', until = '99991231235959Z' } = validity
  const times = [from, until].map((time) => der(0x18, Buffer.from(time)))
  const signed = der(
    SEQUENCE,
    der(0xa0, integer(2)),
    integer(serial),
    algorithm,
    distinguished(issuer),
    der(SEQUENCE, ...times),
    distinguished(subject),
    holder.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, ...extensions.map(encoded))),
  )
  const signature = Buffer.concat([Buffer.of(0), sign(hash, signed, signer)])
  const certificate = der(SEQUENCE, signed, algorithm, der(0x03, signature))
  const base64 = certificate.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`
}

/** How keys sign here: RSA and P-256 with SHA-256, P-384 with SHA-384. */
function signing({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject) {
  if (asymmetricKeyType === 'rsa') {
    return { hash: 'sha256', algorithm: der(SEQUENCE, oid(OID_RSA_SHA256), der(0x05)) }
  }
  const isLong = asymmetricKeyDetails?.namedCurve === 'secp384r1'
  const algorithm = der(SEQUENCE, oid(isLong ? OID_ECDSA_SHA384 : OID_ECDSA_SHA256))
  return { hash: isLong ? 'sha384' : 'sha256', algorithm }
}

/** Alternative names (RFC 5280 §4.2.1.6), by kind. */
export function alternativeNames(names: readonly (readonly ['dns' | 'uri', string])[]): Extension {
  const entries = names.map(([kind, name]) => der(kind === 'dns' ? 0x82 : 0x86, Buffer.from(name)))
  return { oid: OID_SUBJECT_ALT_NAME, value: der(SEQUENCE, ...entries) }
}

/** What marks an authority (RFC 5280 §4.2.1.9). */
export const AUTHORITY: Extension = {
  oid: OID_BASIC_CONSTRAINTS,
  critical: true,
  value: der(SEQUENCE, der(0x01, Buffer.of(0xff))),
}

/**
 * Makes a P-256 certificate for one DNS name, valid from 1970 until the year 9999.
 * @param of the public key that it holds, if not its own
 */
export function selfSigned(name: string, validity: Validity = {}, of?: KeyObject): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const cert = certify({
    ...validity,
    subject: name,
    issuer: name,
    holder: of ?? publicKey,
    signer: privateKey,
    extensions: [alternativeNames([['dns', name]])],
  })
  return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

/** A name that is a common name alone (RFC 5280 §4.1.2.4). */
export function distinguished(name: string): Buffer {
  const commonName = der(SEQUENCE, oid(OID_COMMON_NAME), der(0x0c, Buffer.from(name)))
  return der(SEQUENCE, der(0x31, commonName))
}

function encoded(extension: Extension): Buffer {
  const critical = extension.critical === true ? [der(0x01, Buffer.of(0xff))] : []
  return der(SEQUENCE, oid(extension.oid), ...critical, der(0x04, extension.value))
}

/** One element of DER (X.690 §8.1). */
export function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const body = Buffer.concat(contents)
  const { length } = body
  const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  const size = length < 0x80 ? [length] : long
  return Buffer.concat([Buffer.of(tag, ...size), body])
}

/** @param hex the identifier as it is encoded */
export function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

/** @param value 0 to 127 */
export function integer(value: number): Buffer {
  return der(0x02, Buffer.of(value))
}
