/**
 * Sigstore in miniature: the authority, the logs and the clock of `@sigstore/mock`, whose certificates, entries and
 * proofs are real, and signatures of images as cosign and GitHub attach them.
 */

import { createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto'
// By file: the package itself would replace the HTTP client of the whole process.
import { type CA, initializeCA } from '@sigstore/mock/dist/fulcio/ca.js'
import { type CTLog, initializeCTLog } from '@sigstore/mock/dist/fulcio/ctlog.js'
import { initializeTLog, type TLog } from '@sigstore/mock/dist/rekor/tlog.js'

export const GITHUB = 'https://token.actions.githubusercontent.com'
export const WORKFLOW =
  'https://github.com/acme/planner/.github/workflows/release.yml@refs/heads/main'
const LOG = 'https://log.example.com'
const ISSUER_EXTENSION = '1.3.6.1.4.1.57264.1.8'
const STATEMENT = 'https://in-toto.io/Statement/v1'
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json'

/** What differs from a statement that the workflow signed about this very image. */
export type Signing = {
  readonly subject?: string
  readonly issuer?: string
  readonly predicateType?: string
  readonly payloadType?: string
  /** The image that the statement is about. */
  readonly about?: string
  /** Whether the signature was logged, which is what tells its time. */
  readonly isLogged?: boolean
  /** How long after its certificate was issued it was logged, seconds; a certificate lasts ten minutes. */
  readonly loggedAfter?: number
  /** Signed by something else than the key of the certificate. */
  readonly isForged?: boolean
}

/** What a log says of one entry (Rekor v1). */
type Logged = {
  readonly body: string
  readonly logID: string
  readonly logIndex: number
  readonly integratedTime: number
  readonly verification: {
    readonly signedEntryTimestamp: string
    readonly inclusionProof: {
      readonly logIndex: number
      readonly rootHash: string
      readonly treeSize: number
      readonly hashes: readonly string[]
      readonly checkpoint: string
    }
  }
}

export class FakeSigstore {
  private readonly clock: Date
  private readonly ca: CA
  private readonly ctLog: CTLog
  private readonly tLog: TLog

  private constructor(clock: Date, ca: CA, ctLog: CTLog, tLog: TLog) {
    this.clock = clock
    this.ca = ca
    this.ctLog = ctLog
    this.tLog = tLog
  }

  static async open(): Promise<FakeSigstore> {
    // Each of them reads this one; it starts where the life of the root does.
    const clock = new Date(0)
    const ctLog = await initializeCTLog(pair(), clock)
    const ca = await initializeCA(pair(), ctLog, clock)
    const { validFromDate } = new X509Certificate(bytes(ca.rootCertificate))
    clock.setTime(validFromDate.getTime() + 60_000)
    const tLog = await initializeTLog(LOG, pair(), clock)
    return new FakeSigstore(clock, ca, ctLog, tLog)
  }

  /** `trusted_root.json`. */
  trustedRoot(): string {
    const log = (publicKey: Buffer) => ({
      baseUrl: LOG,
      hashAlgorithm: 'SHA2_256',
      publicKey: {
        rawBytes: publicKey.toString('base64'),
        keyDetails: 'PKIX_ECDSA_P256_SHA_256',
        validFor: { start: '2020-01-01T00:00:00Z' },
      },
      logId: { keyId: createHash('sha256').update(publicKey).digest('base64') },
    })
    const rawBytes = bytes(this.ca.rootCertificate).toString('base64')
    return JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [log(this.tLog.publicKey)],
      ctlogs: [log(this.ctLog.publicKey)],
      certificateAuthorities: [
        {
          subject: { organization: 'sigstore.mock', commonName: 'sigstore' },
          uri: 'https://fulcio.example.com',
          certChain: { certificates: [{ rawBytes }] },
          validFor: { start: '2020-01-01T00:00:00Z' },
        },
      ],
      timestampAuthorities: [],
    })
  }

  /** A bundle with a statement about an image, as cosign 3 and GitHub's attestations have it. */
  async statement(digest: string, signing: Signing = {}): Promise<string> {
    const { payloadType = 'application/vnd.in-toto+json', about = digest } = signing
    const statement = {
      _type: STATEMENT,
      subject: [{ name: 'planner', digest: { sha256: about.replace('sha256:', '') } }],
      predicateType: signing.predicateType ?? 'https://sigstore.dev/cosign/sign/v1',
      predicate: {},
    }
    const payload = Buffer.from(JSON.stringify(statement))
    const head = `DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `
    const signed = await this.sign(Buffer.concat([Buffer.from(head), payload]), signing)
    const entry = {
      apiVersion: '0.0.1',
      kind: 'dsse',
      spec: {
        payloadHash: { algorithm: 'sha256', value: hex(payload) },
        signatures: [{ signature: signed.signature, verifier: signed.pem }],
      },
    }
    const sig = { sig: signed.signature, keyid: '' }
    return this.bundle(signed.certificate, entry, signing, {
      dsseEnvelope: { payload: payload.toString('base64'), payloadType, signatures: [sig] },
    })
  }

  /** A bundle without a payload, and the payload, as cosign had it before. */
  async simple(digest: string, signing: Signing = {}): Promise<readonly [string, string]> {
    const image = { 'docker-manifest-digest': signing.about ?? digest }
    const type = 'cosign container image signature'
    const critical = { identity: { 'docker-reference': '' }, image, type }
    const payload = Buffer.from(JSON.stringify({ critical, optional: null }))
    const signed = await this.sign(payload, signing)
    const entry = {
      apiVersion: '0.0.1',
      kind: 'hashedrekord',
      spec: {
        data: { hash: { algorithm: 'sha256', value: hex(payload) } },
        signature: { content: signed.signature, publicKey: { content: signed.pem } },
      },
    }
    const digestOf = createHash('sha256').update(payload).digest('base64')
    const bundle = await this.bundle(signed.certificate, entry, signing, {
      messageSignature: {
        messageDigest: { algorithm: 'SHA2_256', digest: digestOf },
        signature: signed.signature,
      },
    })
    return [bundle, payload.toString()]
  }

  private async sign(data: Buffer, { subject = WORKFLOW, issuer = GITHUB, isForged }: Signing) {
    const keys = pair()
    const certificate = bytes(
      await this.ca.issueCertificate({
        publicKey: Buffer.from(keys.publicKey.export({ format: 'der', type: 'spki' })),
        subjectAltName: subject,
        extensions: [{ oid: ISSUER_EXTENSION, value: issuer }],
      }),
    )
    const { privateKey } = isForged === true ? pair() : keys
    const signature = sign('sha256', data, privateKey).toString('base64')
    const pem = Buffer.from(new X509Certificate(certificate).toString()).toString('base64')
    return { certificate, signature, pem }
  }

  private async bundle(
    certificate: Buffer,
    entry: { readonly kind: string; readonly apiVersion: string },
    { isLogged = true, loggedAfter = 5 }: Signing,
    content: object,
  ): Promise<string> {
    this.clock.setTime(this.clock.getTime() + loggedAfter * 1000)
    const logged = isLogged ? [proved(entry, await this.tLog.log(entry))] : []
    this.clock.setTime(this.clock.getTime() - loggedAfter * 1000)
    const rawBytes = certificate.toString('base64')
    const material = { certificate: { rawBytes }, tlogEntries: logged }
    return JSON.stringify({ mediaType: BUNDLE, verificationMaterial: material, ...content })
  }
}

/** The answer of a log as bundles have it. */
function proved(
  { kind, apiVersion: version }: { kind: string; apiVersion: string },
  entry: object,
) {
  const [logged] = Object.values(entry) as readonly Logged[]
  if (logged === undefined) throw new Error('the log has logged nothing')
  const { inclusionProof: proof, signedEntryTimestamp } = logged.verification
  return {
    logIndex: String(logged.logIndex),
    logId: { keyId: base64(logged.logID) },
    kindVersion: { kind, version },
    integratedTime: String(logged.integratedTime),
    inclusionPromise: { signedEntryTimestamp },
    inclusionProof: {
      logIndex: String(proof.logIndex),
      rootHash: base64(proof.rootHash),
      treeSize: String(proof.treeSize),
      hashes: proof.hashes,
      checkpoint: { envelope: proof.checkpoint },
    },
    canonicalizedBody: logged.body,
  }
}

function pair(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

function bytes(view: ArrayBufferView<ArrayBuffer>): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength)
}

function hex(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

function base64(hexadecimal: string): string {
  return Buffer.from(hexadecimal, 'hex').toString('base64')
}
