/**
 * The metadata service of Azure, as far as it attests: documents in CMS (RFC 5652) with the quirks of the real one, below
 * roots of the tests' own. Everything in a document can be made wrong, one thing at a time.
 */

import { sign } from 'node:crypto'
import { type AzureDocumentOptions, verifyAzureDocument } from '../../attestors/azure/document.ts'
import { type Held, issue, purposes, type Unlike } from './authority.ts'
import { alternativeNames, der, distinguished, integer, oid } from './certificate.ts'

export const VM_ID = 'bd8e7443-24a0-41f3-b949-8baf4fd1c573'
export const SUBSCRIPTION = '5f130ffc-0a3e-4795-b691-4f56a12a5547'
export const CHALLENGE = '0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5'
/** 15 January 2027, 08:00:00 UTC: what a test's clock begins with. */
export const NOW = 1_800_000_000

const OID_DATA = '2a864886f70d010701'
const OID_SIGNED_DATA = '2a864886f70d010702'
const OID_RSA = '2a864886f70d010101'
const OID_SHA256_RSA = '2a864886f70d01010b'
export const OID_SHA256 = '608648016503040201'
export const OID_SHA1 = '2b0e03021a'
export const SERVER = '2b06010505070301'
export const CLIENT = '2b06010505070302'

/** What is signed, as the real service writes it. */
export function content(change: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    licenseType: '',
    nonce: CHALLENGE,
    plan: { name: '', product: '', publisher: '' },
    sku: '20_04-lts-gen2',
    subscriptionId: SUBSCRIPTION,
    timeStamp: { createdOn: moment(NOW), expiresOn: moment(NOW + 21_600) },
    vmId: VM_ID,
    ...change,
  })
}

/** An instant as Azure writes it. */
export function moment(epochSeconds: number): string {
  const [, year, month, day, time] =
    /^\d\d(\d\d)-(\d\d)-(\d\d)T([\d:]{8})/.exec(new Date(epochSeconds * 1000).toISOString()) ?? []
  return `${month}/${day}/${year} ${time} -0000`
}

/** Root, intermediate and the metadata service of one region. */
export function azureAuthorities(unlike: { leaf?: Unlike; names?: readonly string[] } = {}) {
  const root = issue('Root of the tests', undefined, { kind: 'rsa' })
  const intermediate = issue('TLS authority of the tests', root, { kind: 'rsa', pathLength: 0 })
  return { root, intermediate, leaf: metadataLeaf(intermediate, unlike.leaf, unlike.names) }
}

/** A certificate of the metadata service. */
export function metadataLeaf(
  issuer: Held | undefined,
  unlike: Unlike = {},
  names: readonly string[] = ['metadata.azure.com', 'westeurope.metadata.azure.com'],
): Held {
  return issue('metadata.azure.com', issuer, {
    kind: 'rsa',
    authority: false,
    serial: 7,
    ...unlike,
    extra: [
      alternativeNames(names.map((name) => ['dns', name] as const)),
      ...(unlike.extra ?? [purposes(SERVER, CLIENT)]),
    ],
  })
}

/** What is unlike a good message. */
export type Message = {
  readonly signer: Held
  /** Default: `content()`. */
  readonly text?: string
  /** Who signs, where it is not the certificate's own key. */
  readonly signature?: Buffer
  readonly certificates?: readonly Held[]
  readonly digest?: string
  readonly signatureAlgorithm?: string
  readonly contentType?: string
  readonly signers?: number
  /** Members after the algorithm of the digest, where signed attributes are. */
  readonly attributes?: Buffer
  readonly version?: number
  /** The name and number that the signer goes by. */
  readonly identifier?: Buffer
  readonly issuerName?: string
}

/** A message as the service makes it, or nearly. DER. */
export function message(unlike: Message): Buffer {
  const { signer, text = content(), certificates = [signer], version = 1 } = unlike
  const bytes = Buffer.from(text)
  const digest = algorithm(unlike.digest ?? OID_SHA256_RSA)
  const identifier =
    unlike.identifier ??
    der(0x30, distinguished(unlike.issuerName ?? 'TLS authority of the tests'), integer(7))
  const signature = unlike.signature ?? sign('sha256', bytes, signer.privateKey)
  const info = der(
    0x30,
    integer(1),
    identifier,
    digest,
    ...(unlike.attributes === undefined ? [] : [unlike.attributes]),
    algorithm(unlike.signatureAlgorithm ?? OID_RSA),
    der(0x04, signature),
  )
  const signed = der(
    0x30,
    integer(version),
    der(0x31, digest),
    der(0x30, oid(unlike.contentType ?? OID_DATA), der(0xa0, der(0x04, bytes))),
    der(0xa0, ...certificates.map(({ der: encoded }) => encoded)),
    der(0x31, ...Array.from({ length: unlike.signers ?? 1 }, () => info)),
  )
  return der(0x30, oid(OID_SIGNED_DATA), der(0xa0, signed))
}

function algorithm(hex: string): Buffer {
  return der(0x30, oid(hex), der(0x05))
}

/** The service, and a verifier that trusts its root and one subscription. */
export function setAzureDocumentStage() {
  const { root, intermediate, leaf } = azureAuthorities()
  const options: AzureDocumentOptions = {
    challenge: CHALLENGE,
    subscriptions: [SUBSCRIPTION],
    roots: [root.read()],
    intermediates: [intermediate.read()],
  }
  return {
    root,
    intermediate,
    leaf,
    written: (unlike: Partial<Message> = {}) =>
      message({ signer: leaf, ...unlike }).toString('base64'),
    verify: (document: string, change: Partial<AzureDocumentOptions> = {}, later = 0) =>
      verifyAzureDocument(document, { ...options, ...change }, NOW + later),
  }
}
