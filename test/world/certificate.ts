/** Self-signed X.509 certificates (RFC 5280 §4.1), because Node reads them and cannot write them. */

import { generateKeyPairSync, sign } from 'node:crypto'

/** A certificate that is its own authority, PEM. */
export type Certificate = { readonly cert: string; readonly key: string }

const SEQUENCE = 0x30
const OID_COMMON_NAME = '550403'
const OID_ECDSA_SHA256 = '2a8648ce3d040302'
const OID_SUBJECT_ALT_NAME = '551d11'

/** Makes a P-256 certificate for one DNS name, valid until the year 9999. */
export function selfSigned(name: string): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = der(SEQUENCE, oid(OID_ECDSA_SHA256))
  const commonName = der(SEQUENCE, oid(OID_COMMON_NAME), der(0x0c, Buffer.from(name)))
  const distinguished = der(SEQUENCE, der(0x31, commonName))
  const until = Buffer.from('99991231235959Z')
  const validity = der(SEQUENCE, der(0x17, Buffer.from('700101000000Z')), der(0x18, until))
  const names = der(SEQUENCE, der(0x82, Buffer.from(name)))
  const extension = der(SEQUENCE, oid(OID_SUBJECT_ALT_NAME), der(0x04, names))
  const content = der(
    SEQUENCE,
    der(0xa0, integer(2)),
    integer(1),
    algorithm,
    distinguished,
    validity,
    distinguished,
    publicKey.export({ type: 'spki', format: 'der' }),
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
