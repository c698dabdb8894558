/**
 * Who answers for what a request shows. A JWT goes to the trust entry that it is for, other evidence to the entry that
 * takes it in place of a JWT, or to the relay of its format. What is shown beside it goes to the same entry, which alone knows what belongs together.
 */

import { hash } from 'node:crypto'
import type { AuditEvidence } from './audit.ts'
import type { Challenges } from './challenge.ts'
import type {
  Answered,
  Attested,
  Attestor,
  Evidence,
  Identity,
  Prepared,
  SecondEvidence,
} from './identity.ts'
import { evidenceOrigin } from './lineage.ts'
import { digestOf, parseJwt, type UnverifiedJwt } from './net/jwt.ts'
import { few, printable, Refusal } from './refusal.ts'
import type { Relay } from './relay.ts'
import { trustTable } from './trust.ts'

/** What a request shows of its workload, unverified. */
export type Shown = {
  readonly evidence: Evidence
  /** Second evidence of the same workload; null for none. */
  readonly attestation: Evidence | null
}

/** Finds who answers, and has everything made ready that must wait. */
export type Vouching = {
  /**
   * @param tell hears what was shown once it could be read
   * @throws Refusal those of the trust table, of whoever answers, and `attestation_refused`
   */
  prepare(
    shown: Shown,
    nowSeconds: number,
    tell: (seen: readonly AuditEvidence[]) => void,
  ): Prepared | Promise<Prepared>
}

/** The first evidence, ready to be verified, and the entry that answers for it. */
type First = { readonly by: Pick<Attestor, 'trust' | 'second'>; readonly prepared: Prepared }

/**
 * @param attestors as for `trustTable`
 * @param relays by the format of the evidence that they take
 */
export function vouching(
  attestors: readonly Attestor[],
  relays: ReadonlyMap<string, Relay>,
  challenges: Challenges,
): Vouching {
  const table = trustTable(attestors)

  async function formatted({ value, format = '' }: Evidence, nowSeconds: number): Promise<First> {
    const directed = table.selectDirect(format, value)
    if (directed !== null) {
      return { by: directed.by, prepared: await directed.direct.prepare(value, nowSeconds) }
    }
    const relay = relays.get(format)
    if (relay === undefined) {
      const direct = attestors.flatMap((attestor) => [...(attestor.direct?.keys() ?? [])])
      const expected = few(new Set([...relays.keys(), ...direct]))
      throw new Refusal('type_refused', { expected, found: format })
    }
    const prepared = await relay.prepare(value, nowSeconds)
    const by = attestors.find(({ trust }) => trust === prepared.trust)
    return { by: by ?? { trust: prepared.trust }, prepared }
  }

  async function beside(
    { by, prepared }: First,
    { value, format = '' }: Evidence,
    nowSeconds: number,
  ): Promise<Prepared> {
    const second = by.second?.get(format)
    if (second === undefined) {
      const expected = few(by.second?.keys() ?? [])
      throw new Refusal('attestation_refused', { trust: by.trust, expected, found: format })
    }
    const challenge = second.claimedChallenge(value)
    challenges.check(challenge, nowSeconds)
    const proof = await second.prepare(value, challenge, nowSeconds)
    const origin = evidenceOrigin(by.trust, hash('sha256', value, 'base64url'))
    return {
      verify(now) {
        const answered = { challenge, expiresAt: challenges.check(challenge, now) }
        return joined(prepared.verify(now), second, proof.verify(now), answered, origin)
      },
    }
  }

  return {
    prepare(shown, nowSeconds, tell) {
      const { evidence, attestation } = shown
      if (evidence.format !== undefined) {
        return formatted(evidence, nowSeconds).then((first) =>
          attestation === null ? first.prepared : beside(first, attestation, nowSeconds),
        )
      }
      const jwt = parseJwt(evidence.value)
      tell(described(shown, jwt))
      const by = table.select(jwt, evidence.kind)
      const prepared = by.prepare(jwt, nowSeconds)
      if (attestation === null) return prepared
      return Promise.resolve(prepared).then((first) =>
        beside({ by, prepared: first }, attestation, nowSeconds),
      )
    },
  }
}

/**
 * RFC 7521 §4.2: a `client_id` beside an assertion names the same client.
 * @throws Refusal `client_mismatched`
 */
export function demandNamed({ uri }: Pick<Identity, 'uri'>, clientId: string | null): void {
  if (clientId !== null && clientId !== uri) {
    throw new Refusal('client_mismatched', { found: printable(clientId), expected: uri })
  }
}

/** Second evidence adds facts and shortens lives. What the first one says stays as it is said there. */
function joined(
  first: Identity,
  evidence: SecondEvidence,
  second: Attested,
  answered: Answered,
  origin: string,
): Identity {
  const mismatch = evidence.mismatch(first, second)
  if (mismatch !== null) {
    throw new Refusal('attestation_mismatched', { trust: first.trust, ...mismatch })
  }
  return {
    ...first,
    facts: { ...second.facts, ...first.facts },
    issuedAt: Math.min(first.issuedAt, second.issuedAt),
    expiresAt: Math.min(first.expiresAt, second.expiresAt),
    replay: { ...first.replay, until: first.replay.until ?? first.expiresAt },
    challenges: [...(first.challenges ?? []), answered],
    lineage: [...first.lineage, origin, ...second.lineage],
  }
}

/**
 * What the audit says of the credentials: by digest, and by what they say of themselves.
 * @param jwt the first of them as read; null when it could not be read, or is no JWT
 */
export function described(
  { evidence, attestation }: Shown,
  jwt: UnverifiedJwt | null,
): readonly AuditEvidence[] {
  const { carrier, format } = evidence
  const first: AuditEvidence = {
    carrier,
    ...(format !== undefined && { format }),
    digest: jwt === null ? opaqueDigest(evidence) : digestOf(jwt),
    claimedIssuer: jwt === null ? null : printable(jwt.claims['iss']),
    claimedSubject: jwt === null ? null : printable(jwt.claims['sub']),
  }
  if (attestation === null) return [first]
  const second: AuditEvidence = {
    carrier: attestation.carrier,
    ...(attestation.format !== undefined && { format: attestation.format }),
    digest: opaqueDigest(attestation),
    claimedIssuer: null,
    claimedSubject: null,
  }
  return [first, second]
}

/** Null for a JWT that was not read: two texts could be one token. */
function opaqueDigest({ format, value }: Evidence): string | null {
  return format === undefined ? null : hash('sha256', value, 'base64url')
}
