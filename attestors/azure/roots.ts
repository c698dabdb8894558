/**
 * The roots that Azure's metadata service is signed below, pinned by fingerprint. Their certificates come with Node (it
 * ships Mozilla's list), so that a list which somebody changed yields fewer of them and never others. What is not in
 * that list, and every certificate between root and signer, comes from the operator's file: nothing is fetched.
 */

import { createHash } from 'node:crypto'
import { rootCertificates } from 'node:tls'
import { type Certificate, readPem } from '../certificate.ts'

/** SHA-256 of the DER of DigiCert Global Root G2, which the others of Microsoft are cross-signed by. */
const PINNED: ReadonlySet<string> = new Set([
  'cb3ccbb76031e5e0138f8dd39a23f9de47ffc35e43c1144cea27d46a5ab1cb5f',
])

/** The pinned roots that this Node has. */
export function bundledRoots(): readonly Certificate[] {
  return rootCertificates.filter((pem) => PINNED.has(fingerprintOf(pem))).flatMap(readPem)
}

function fingerprintOf(pem: string): string {
  const der = Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64')
  return createHash('sha256').update(der).digest('hex')
}
