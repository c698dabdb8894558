/** Signing keys, made once per run and label: making an RSA key takes longer than most tests. */

import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export type SignerAlgorithm = 'RS256' | 'ES256' | 'ES384'

/** A platform's signing key with its public JWK, as the platform publishes it. */
export type Signer = {
  readonly alg: SignerAlgorithm
  readonly kid: string
  readonly publicKey: KeyObject
  readonly jwk: Readonly<Record<string, unknown>>
  readonly sign: (input: string) => Buffer
}

const made = new Map<string, Signer>()

/** The key of that label. The same label and algorithm is the same key throughout a run. */
export function signer(label: string, alg: SignerAlgorithm = 'RS256'): Signer {
  const name = `${label}/${alg}`
  const known = made.get(name) ?? make(alg)
  made.set(name, known)
  return known
}

/** The same key under another name. */
export function renamed(original: Signer, kid: string): Signer {
  return { ...original, kid, jwk: { ...original.jwk, kid } }
}

function make(alg: SignerAlgorithm): Signer {
  const { publicKey, privateKey } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: alg === 'ES256' ? 'P-256' : 'P-384' })
  const der = publicKey.export({ type: 'spki', format: 'der' })
  // As the API server names its keys: the hash of the public key.
  const kid = createHash('sha256').update(der).digest('base64url')
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' as const }
  return {
    alg,
    kid,
    publicKey,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
    sign: (input) => sign(alg === 'ES384' ? 'sha384' : 'sha256', Buffer.from(input), key),
  }
}
