/**
 * The attestor of a platform that signs JWTs: what all such kinds do alike. A kind brings its profile; the order
 * of checks is here: what costs nothing, the key, the signature, and then the profile again and in full.
 */

import type {
  Attestor,
  AttestorHealth,
  AttestorWorld,
  Identity,
  Proof,
  SecondEvidence,
  TrustCommon,
} from '../src/identity.ts'
import { KeySource } from '../src/net/jwks.ts'
import type { UnverifiedJwt } from '../src/net/jwt.ts'
import type { KeyReader } from '../src/net/keyreader.ts'
import type { VerificationKey } from '../src/net/keyset.ts'
import { type Algorithm, verifySignature } from '../src/net/signature.ts'
import { systemTimers, type Timers } from '../src/net/timers.ts'
import { printable, Refusal } from '../src/refusal.ts'
import type { DirectEvidence } from '../src/relay.ts'

/** The world, with timers that a test may bring. */
export type JwtWorld = AttestorWorld & { readonly timers?: Timers }

/** What a platform's tokens have to look like. No I/O, no clock. Both refuse by throwing `Refusal`. */
export type Profile<Proved> = {
  /** Judges what needs no key: issuer, audience, times, and what the token is for. Nothing here is proved yet. */
  screen(jwt: UnverifiedJwt, nowSeconds: number): void
  /** Reads a token whose signature holds. Runs after `screen` at the same instant. */
  identify(jwt: UnverifiedJwt, nowSeconds: number): Proved
}

/** The profile of tokens that name a workload. */
export type JwtProfile = Profile<Identity>

/** What distinguishes one entry of a JWT kind. */
export type JwtEntry = TrustCommon & {
  readonly kind: string
  /** Where the platform fixes them; the first is `audience`. */
  readonly audiences?: readonly string[]
  readonly issuers: readonly string[]
  readonly algorithms: readonly Algorithm[]
  readonly readKeys: KeyReader
  readonly profile: JwtProfile
  /** What it takes in place of a token. It may look for what is read together with the keys. */
  readonly direct?: (keys: Keys) => ReadonlyMap<string, DirectEvidence>
  /** What it takes beside its tokens. */
  readonly second?: ReadonlyMap<string, SecondEvidence>
}

/** Makes the attestor of one entry. */
export function jwtAttestor(entry: JwtEntry, world: JwtWorld): Attestor {
  const { kind, trust, audience, audiences = [audience], issuers, algorithms, second } = entry
  const { keys, ...verifier } = jwtVerifier(entry, world)
  const direct = entry.direct?.(keys)
  const takes = { ...(direct && { direct }), ...(second && { second }) }
  return { kind, trust, issuers, audience, audiences, algorithms, ...takes, ...verifier }
}

/** What is read together with the keys of an entry, kept as fresh as they are. */
export type Keys = Pick<KeySource, 'seek'>

/** One key source with one profile: an attestor, as far as keys and signatures go. */
export type JwtVerifier<Proved> = Pick<Attestor, 'start' | 'health' | 'close'> & {
  readonly keys: Keys
  /** As `Attestor.prepare`, for whatever the profile reads. */
  prepare(jwt: UnverifiedJwt, nowSeconds: number): Proof<Proved> | Promise<Proof<Proved>>
}

/** Makes the verifier of one key source. */
export function jwtVerifier<Proved>(
  entry: Pick<JwtEntry, 'trust' | 'algorithms' | 'readKeys'> & {
    readonly profile: Profile<Proved>
  },
  world: JwtWorld,
): JwtVerifier<Proved> {
  const { trust, algorithms, profile } = entry
  const keys = new KeySource({
    read: entry.readKeys,
    algorithms,
    now: world.now,
    timers: world.timers ?? systemTimers,
    warn: (detail, sentence) => world.warn({ trust, ...detail }, sentence),
  })

  function screen(jwt: UnverifiedJwt, nowSeconds: number): void {
    const { alg } = jwt.header
    if (!algorithms.some((algorithm) => algorithm === alg)) {
      throw new Refusal('algorithm_refused', { expected: algorithms, found: printable(alg) })
    }
    profile.screen(jwt, nowSeconds)
  }

  function proof(jwt: UnverifiedJwt, { key, algorithms: usable }: VerificationKey): Proof<Proved> {
    const verify = (nowSeconds: number): Proved => {
      verifySignature(jwt, key, usable)
      // Time may have passed, and what was screened is believed only now.
      screen(jwt, nowSeconds)
      return profile.identify(jwt, nowSeconds)
    }
    return { verify }
  }

  return {
    keys,
    prepare(jwt, nowSeconds) {
      screen(jwt, nowSeconds)
      const known = keys.find(jwt.header.kid)
      if (known !== undefined) return proof(jwt, known)
      return keys.obtain(jwt.header.kid).then((key) => proof(jwt, key))
    },
    start: () => keys.start(),
    health(): AttestorHealth {
      return { trust, ...keys.health() }
    },
    close: () => keys.close(),
  }
}
