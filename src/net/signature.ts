/**
 * Signature algorithms of JWS (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2) that Countersign verifies, and the check itself. Symmetric
 * algorithms and `none` are not in the table, so they cannot be configured, offered or confused in.
 */

import { constants, type KeyObject, verify } from 'node:crypto'
import { printable, Refusal } from '../refusal.ts'
import type { UnverifiedJws } from './jwt.ts'

type Scheme = {
  readonly keyType: 'rsa' | 'ec' | 'ed25519'
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null
  readonly curve?: string
  readonly pss?: true
  /** Exact length of the signature in bytes, where the algorithm fixes it. */
  readonly length?: number
}

const SCHEMES = {
  RS256: { keyType: 'rsa', hash: 'sha256' },
  RS384: { keyType: 'rsa', hash: 'sha384' },
  RS512: { keyType: 'rsa', hash: 'sha512' },
  PS256: { keyType: 'rsa', hash: 'sha256', pss: true },
  PS384: { keyType: 'rsa', hash: 'sha384', pss: true },
  PS512: { keyType: 'rsa', hash: 'sha512', pss: true },
  ES256: { keyType: 'ec', hash: 'sha256', curve: 'prime256v1', length: 64 },
  ES384: { keyType: 'ec', hash: 'sha384', curve: 'secp384r1', length: 96 },
  EdDSA: { keyType: 'ed25519', hash: null, length: 64 },
  Ed25519: { keyType: 'ed25519', hash: null, length: 64 },
} as const satisfies Record<string, Scheme>

/** The `alg` of a signature that can be verified here. */
export type Algorithm = keyof typeof SCHEMES

/** Every `alg` there is, for configuration schemas. */
export const ALGORITHMS = Object.keys(SCHEMES) as readonly Algorithm[]

/** The algorithms that a public key can verify, by its type and curve; empty for any other key. */
export function algorithmsOf(key: KeyObject): readonly Algorithm[] {
  const curve = key.asymmetricKeyDetails?.namedCurve
  return ALGORITHMS.filter((algorithm) => {
    const scheme: Scheme = SCHEMES[algorithm]
    if (key.type !== 'public' || scheme.keyType !== key.asymmetricKeyType) return false
    return scheme.curve === undefined || scheme.curve === curve
  })
}

/**
 * Verifies the signature with one key. `algorithms` are those that this key may be used with
 * (`VerificationKey.algorithms`: what fits the key, the trust entry's list and the JWK's own `alg`), so
 * that the token's header chooses among them and never beyond (RFC 8725 §3.1).
 * @throws Refusal `algorithm_refused`, `signature_invalid`
 */
export function verifySignature(
  jwt: UnverifiedJws,
  key: KeyObject,
  algorithms: readonly Algorithm[],
): void {
  const { alg } = jwt.header
  const algorithm = algorithms.find((candidate) => candidate === alg)
  const scheme: Scheme | undefined = algorithm && SCHEMES[algorithm]
  if (!algorithm || !scheme || scheme.keyType !== key.asymmetricKeyType || key.type !== 'public') {
    throw new Refusal('algorithm_refused', {
      expected: algorithms,
      found: printable(alg),
      kid: printable(jwt.header['kid']),
    })
  }
  if (scheme.length !== undefined && jwt.signature.length !== scheme.length) {
    const kid = printable(jwt.header['kid'])
    const detail = { kid, expectedBytes: scheme.length, foundBytes: jwt.signature.length }
    throw new Refusal('signature_invalid', detail)
  }
  const valid = verify(
    scheme.hash,
    Buffer.from(jwt.signingInput, 'latin1'),
    verifyOptions(scheme, key),
    jwt.signature,
  )
  if (!valid)
    throw new Refusal('signature_invalid', { kid: printable(jwt.header['kid']), alg: algorithm })
}

function verifyOptions(scheme: Scheme, key: KeyObject): Parameters<typeof verify>[2] {
  if (scheme.keyType === 'ec') return { key, dsaEncoding: 'ieee-p1363' }
  if (scheme.pss !== true) return key
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
}
