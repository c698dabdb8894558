/** Authorities of the tests' own: roots, those below them, and the leaves that sign documents of machines. */

import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type Certificate, readPem } from '../../attestors/certificate.ts'
import { certify, der, type Extension, integer, oid, type Validity } from './certificate.ts'

/** Whose keys an authority and all below it have. */
export type KeyKind = 'rsa' | 'P-256' | 'P-384'

/** A certificate with the private key that belongs to it. */
export type Held = {
  readonly name: string
  readonly pem: string
  readonly der: Buffer
  readonly read: () => Certificate
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

/** What is unlike a good certificate. */
export type Unlike = Validity & {
  readonly kind?: KeyKind
  readonly serial?: number
  readonly pathLength?: number
  /** Bits of key usage; null for no such extension. */
  readonly usage?: number | null
  readonly authority?: boolean
  readonly extra?: readonly Extension[]
  /** A key that another certificate has too. */
  readonly keys?: Pick<Held, 'publicKey' | 'privateKey'>
}

export const DIGITAL_SIGNATURE = 0x80
export const KEY_CERT_SIGN = 0x04

/** Keys by kind and label, because making an RSA key takes longer than most tests. */
const made = new Map<string, Pick<Held, 'publicKey' | 'privateKey'>>()

function keysOf(kind: KeyKind, label: string): Pick<Held, 'publicKey' | 'privateKey'> {
  const name = `${kind}/${label}`
  const keys =
    made.get(name) ??
    (kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: kind }))
  made.set(name, keys)
  return keys
}

/**
 * Makes a certificate.
 * @param issuer who signs it; left out: it signs itself
 */
export function issue(name: string, issuer?: Held, unlike: Unlike = {}): Held {
  const { kind = 'P-384', authority = true, pathLength, extra = [] } = unlike
  const { publicKey, privateKey } = unlike.keys ?? keysOf(kind, name)
  const { usage = authority ? KEY_CERT_SIGN : DIGITAL_SIGNATURE } = unlike
  const pem = certify({
    ...(unlike.from !== undefined && { from: unlike.from }),
    ...(unlike.until !== undefined && { until: unlike.until }),
    ...(unlike.serial !== undefined && { serial: unlike.serial }),
    subject: name,
    issuer: issuer?.name ?? name,
    holder: publicKey,
    signer: issuer?.privateKey ?? privateKey,
    extensions: [
      constraints(authority, pathLength),
      ...(usage === null ? [] : [keyUsage(usage)]),
      ...extra,
    ],
  })
  const encoded = Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64')
  const read = () => {
    const [certificate] = readPem(pem)
    if (certificate === undefined) throw new Error('no certificate')
    return certificate
  }
  return { name, pem, der: encoded, read, publicKey, privateKey }
}

/** Purposes (RFC 5280 §4.2.1.12), by the object identifiers' encoding. */
export function purposes(...oids: readonly string[]): Extension {
  return { oid: '551d25', value: der(0x30, ...oids.map(oid)) }
}

function constraints(authority: boolean, pathLength: number | undefined): Extension {
  const members = authority ? [der(0x01, Buffer.of(0xff))] : []
  if (authority && pathLength !== undefined) members.push(integer(pathLength))
  return { oid: '551d13', critical: true, value: der(0x30, ...members) }
}

function keyUsage(bits: number): Extension {
  return { oid: '551d0f', critical: true, value: der(0x03, Buffer.of(0, bits)) }
}
