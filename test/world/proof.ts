/** DPoP proofs that are really signed, and wrong in whatever way a test wants. */

import {
  constants,
  generateKeyPairSync,
  type KeyObject,
  type SignKeyObjectInput,
  sign,
} from 'node:crypto'
import { jwkThumbprint, PUBLIC_MEMBERS } from '../../src/thumbprint.ts'

/** A proof that is not signed yet. */
export type ProofDraft = {
  readonly header: Record<string, unknown>
  readonly claims: Record<string, unknown>
}

/** What a good proof says. */
export type Saying = {
  readonly method?: string
  readonly url: string
  /** Epoch seconds. */
  readonly at: number
  readonly nonce?: string
  /** `ath`, already hashed. */
  readonly ath?: string
}

/** Whoever has a key. */
export type Holder = {
  readonly alg: string
  readonly jkt: string
  readonly jwk: Readonly<Record<string, string>>
  readonly privateKey: KeyObject
  /** A proof, after `change` had its way with it. Each has a `jti` of its own. */
  prove(saying: Saying, change?: (draft: ProofDraft) => void): string
}

const ALGORITHMS = {
  ES256: { hash: 'sha256', make: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
  ES384: { hash: 'sha384', make: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }) },
  ES512: { hash: 'sha512', make: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }) },
  EdDSA: { hash: null, make: () => generateKeyPairSync('ed25519') },
  Ed25519: { hash: null, make: () => generateKeyPairSync('ed25519') },
  RS256: { hash: 'sha256', make: () => generateKeyPairSync('rsa', { modulusLength: 2048 }) },
  PS256: { hash: 'sha256', make: () => generateKeyPairSync('rsa', { modulusLength: 2048 }) },
  RS512: { hash: 'sha512', make: () => generateKeyPairSync('rsa', { modulusLength: 2048 }) },
} as const
export type ProofAlgorithm = keyof typeof ALGORITHMS

const holders = new Map<string, Holder>()
let proofs = 0

/** The holder of that label: one key throughout a run. */
export function holder(label = 'agent', alg: ProofAlgorithm = 'ES256'): Holder {
  const name = `${label}/${alg}`
  const known = holders.get(name) ?? make(alg)
  holders.set(name, known)
  return known
}

/** Signs a draft as it is. */
export function signProof({ header, claims }: ProofDraft, key: KeyObject, alg: string): string {
  const input = `${encode(header)}.${encode(claims)}`
  const options: SignKeyObjectInput = { key, dsaEncoding: 'ieee-p1363' }
  if (alg === 'PS256') {
    options.padding = constants.RSA_PKCS1_PSS_PADDING
    options.saltLength = constants.RSA_PSS_SALTLEN_DIGEST
  }
  const { hash } = ALGORITHMS[alg as ProofAlgorithm]
  return `${input}.${sign(hash, Buffer.from(input), options).toString('base64url')}`
}

function make(alg: ProofAlgorithm): Holder {
  const { publicKey, privateKey } = ALGORITHMS[alg].make()
  const exported = publicKey.export({ format: 'jwk' }) as Record<string, string>
  const names = PUBLIC_MEMBERS.get(exported['kty'] ?? '') ?? []
  const jwk = Object.fromEntries(names.map((name) => [name, exported[name] ?? '']))
  return {
    alg,
    jkt: jwkThumbprint(jwk),
    jwk,
    privateKey,
    prove({ method = 'POST', url, at, nonce, ath }, change = () => {}) {
      proofs += 1
      const draft: ProofDraft = {
        header: { typ: 'dpop+jwt', alg, jwk: { ...jwk } },
        claims: {
          jti: `proof-${proofs}`,
          htm: method,
          htu: url,
          iat: at,
          ...(nonce !== undefined && { nonce }),
          ...(ath !== undefined && { ath }),
        },
      }
      change(draft)
      return signProof(draft, privateKey, alg)
    },
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
