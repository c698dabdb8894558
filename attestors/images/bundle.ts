/**
 * Judges a Sigstore bundle: signature, certificate, log entry and timestamps by Sigstore's own library, under the
 * operator's trusted root; then who signed and what was signed, here. The library is loaded by the first use.
 */

import { isObject, JsonError, type JsonObject, parseJson } from '../../src/net/json.ts'
import { printable } from '../../src/refusal.ts'
import type { ImageIdentity } from './settings.ts'

/** The type of a bundle, as artifact and as layer. */
export const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json'
/** The layer beside a bundle that holds no payload of its own. */
export const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json'

/** A bundle that is no good; its message is for the operator. */
export class BundleError extends Error {
  override readonly name = 'BundleError'
}

/** What a signature is judged by. */
export type SignatureRules = {
  /** The text of `trusted_root.json`. */
  readonly trustedRoot: string
  readonly identities: readonly ImageIdentity[]
}

/** One bundle with what it signs. */
export type Signed = {
  readonly bundle: string
  /** What a bundle without an envelope is about. */
  readonly payload: string | undefined
  /** The image: `sha256:…`. */
  readonly digest: string
}

/** @throws BundleError */
export type JudgeBundle = (signed: Signed) => void

const MAX_DEPTH = 32
const STATEMENT_TYPE = 'application/vnd.in-toto+json'
const STATEMENTS: readonly unknown[] = [
  'https://in-toto.io/Statement/v1',
  'https://in-toto.io/Statement/v0.1',
]
/**
 * Statements that say: this is ours. Others (an SBOM, a scan) may be signed by the same workflow about an image that
 * nobody has approved.
 */
const PREDICATES: readonly unknown[] = [
  'https://sigstore.dev/cosign/sign/v1',
  'https://slsa.dev/provenance/v1',
]
/** What cosign calls its payloads, and what it called them before. */
const SIMPLE_SIGNING: readonly unknown[] = [
  'https://sigstore.dev/cosign/sign/v1',
  'cosign container image signature',
]

/**
 * Loads the library and reads the trusted root.
 * @throws Error when the root cannot be used
 */
export async function bundleJudge(rules: SignatureRules): Promise<JudgeBundle> {
  const [{ bundleFromJSON }, { toSignedEntity, toTrustMaterial, Verifier }, { TrustedRoot }] =
    await Promise.all([
      import('@sigstore/bundle'),
      import('@sigstore/verify'),
      import('@sigstore/protobuf-specs'),
    ])
  const root = TrustedRoot.fromJSON(JSON.parse(rules.trustedRoot))
  // One log entry, one timestamp and one entry in a log of certificates: a signature that was never public is none.
  const verifier = new Verifier(toTrustMaterial(root))
  return ({ bundle: text, payload, digest }) => {
    const message = payload === undefined ? undefined : Buffer.from(payload)
    const { envelope, signer } = judged(() => {
      const bundle = bundleFromJSON(parseJson(text, MAX_DEPTH))
      const { content } = bundle
      const found = content.$case === 'dsseEnvelope' ? content.dsseEnvelope : null
      if (found === null && message === undefined) throw new BundleError('it has no payload')
      return { envelope: found, signer: verifier.verify(toSignedEntity(bundle, message)) }
    })
    checkSigner(signer.identity ?? {}, rules.identities)
    if (envelope === null) checkSimpleSigning(payload ?? '', digest)
    else checkStatement(envelope.payloadType, envelope.payload.toString(), digest)
  }
}

/** Whatever the library throws over a bundle is the bundle's fault: it was made by a stranger. */
function judged<Result>(work: () => Result): Result {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof BundleError) throw cause
    throw new BundleError(printable((cause as Error).message), { cause })
  }
}

type Signer = {
  readonly subjectAlternativeName?: string
  readonly extensions?: { readonly issuer?: string }
}

function checkSigner(
  { subjectAlternativeName: subject, extensions }: Signer,
  identities: readonly ImageIdentity[],
): void {
  const issuer = extensions?.issuer
  // The library would look for the subject anywhere in the name, as an expression without ends.
  const isOurs = identities.some(
    (identity) =>
      issuer === identity.issuer && subject !== undefined && matcherOf(identity).test(subject),
  )
  if (isOurs) return
  throw new BundleError(`signed by ${printable(subject)} of ${printable(issuer)}`)
}

function matcherOf({ subject, subjectPattern = '' }: ImageIdentity): RegExp {
  const parts = subject === undefined ? subjectPattern.split('*') : [subject]
  return new RegExp(`^${parts.map(literally).join('[^/]+')}$`, 'u')
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
}

function checkStatement(type: string, text: string, digest: string): void {
  if (type !== STATEMENT_TYPE) throw new BundleError(`its payload is ${printable(type)}`)
  const statement = readPayload(text)
  const { _type: version, predicateType, subject } = statement
  if (!STATEMENTS.includes(version)) throw new BundleError('its payload is no in-toto statement')
  if (!PREDICATES.includes(predicateType)) {
    throw new BundleError(`its statement is ${printable(predicateType)}, which is no signature`)
  }
  const hex = digest.replace('sha256:', '')
  const isMeant = Array.isArray(subject) && subject.some((each) => digestIn(each) === hex)
  if (!isMeant) throw new BundleError('its statement is about another image')
}

function digestIn(subject: unknown): unknown {
  const digests = isObject(subject) ? subject['digest'] : undefined
  return isObject(digests) ? digests['sha256'] : undefined
}

/** The payload of cosign before statements (cosign, SIGNATURE_SPEC.md). */
function checkSimpleSigning(text: string, digest: string): void {
  const { critical } = readPayload(text)
  const { type, image } = isObject(critical) ? critical : {}
  if (!SIMPLE_SIGNING.includes(type)) {
    throw new BundleError('its payload is no signature of an image')
  }
  if (isObject(image) && image['docker-manifest-digest'] === digest) return
  throw new BundleError('its payload is about another image')
}

function readPayload(text: string): JsonObject {
  try {
    const found = parseJson(text, MAX_DEPTH)
    if (isObject(found)) return found
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause
  }
  throw new BundleError('its payload is not a strict JSON object')
}
