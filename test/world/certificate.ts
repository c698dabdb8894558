/** Self-signed X.509 certificates (RFC 5280 §4.1), because Node reads them and cannot write them. */

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** A certificate that is its own authority, PEM. */
export type Certificate = { readonly cert: string; readonly key: string }

const SEQUENCE = 0x30
const OID_COMMON_NAME = '550403'
const OID_ECDSA_SHA256 = '2a8648ce3d040302'
const OID_SUBJECT_ALT_NAME = '551d11'

/** When a certificate is valid, as `YYYYMMDDHHMMSSZ`. */
export type Validity = { readonly from?: string; readonly until?: string }

/**
 * Makes a P-256 certificate for one DNS name, valid from 1970 until the year 9999.
 * @param of the public key that it holds, if not its own
 */
export function selfSigned(name: string, validity: Validity = {}, of?: KeyObject): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = der(SEQUENCE, oid(OID_ECDSA_SHA256))
  const commonName = der(SEQUENCE, oid(OID_COMMON_NAME), der(0x0c, Buffer.from(name)))
  const distinguished = der(SEQUENCE, der(0x31, commonName))
  const { from = '19700101000000Z', until = '99991231235959Z' } = validity
  const times = [from, until].map((time) => der(0x18, Buffer.from(time)))
  const names = der(SEQUENCE, der(0x82, Buffer.from(name)))
  const extension = der(SEQUENCE, oid(OID_SUBJECT_ALT_NAME), der(0x04, names))
  const content = der(
    SEQUENCE,
    der(0xa0, integer(2)),
    integer(1),
    algorithm,
    distinguished,
    der(SEQUENCE, ...times),
    distinguished,
    (of ?? publicKey).export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, extension)),
  )
  const signature = Buffer.concat([Buffer.of(0), sign('sha256', content, privateKey)])
  const certificate = der(SEQUENCE, content, algorithm, der(0x03, signature))
  const base64 = certificate.toString('base64').replace(/.{64}/g, '$&\n')
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const body = Buffer.concat(contents)
  const { length } = body
  const size = length < 0x80 ? [length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), body])
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

function integer(value: number): Buffer {
  return der(0x02, Buffer.of(value))
}
