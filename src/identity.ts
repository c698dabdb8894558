/**
 * The nouns of attestation: what a caller shows (Evidence), what has been proved (Identity), and the
 * contract of whoever proves it (Attestor). Types only.
 */

import type { TSchema } from 'typebox'
import type { Door } from './net/fetch.ts'
import type { JsonObject } from './net/json.ts'
import type { UnverifiedJwt } from './net/jwt.ts'
import type { Detail } from './refusal.ts'
import type { DirectEvidence, RelayKind } from './relay.ts'

/**
 * How much a fact can be believed (strongest first).
 * - `A` signed by the platform's control plane inside the evidence;
 * - `B` read by us from the control plane, writable only by it or an administrator;
 * - `C` read by us, but reported by a node or agent about itself;
 * - `D` set by a tenant or by the caller.
 */
export type Grade = 'A' | 'B' | 'C' | 'D'

/** One verified fact. `observedAt` is in epoch seconds; `source` says where it was read. */
export type Fact = {
  readonly value: string | number | boolean | readonly string[]
  readonly grade: Grade
  readonly source: string
  readonly observedAt: number
}

/** Facts by dotted name, such as `pod.uid`. An unknown fact is absent, never null. */
export type Facts = Readonly<Record<string, Fact>>

/** A Cedar entity, by type and id. */
export type EntityRef = { readonly type: string; readonly id: string }

/** Whose credential this is within one request (RFC 7523 §2.1 and §2.2, RFC 8693 §2.1). */
export type Role = 'workload' | 'subject' | 'actor' | 'attestation' | 'proof'

/** The request parameter that carried the evidence; or `certificate`, the TLS connection did; or `authorization`, a header. It decides the error code on the wire. */
export type Carrier =
  | 'assertion'
  | 'client_assertion'
  | 'authorization'
  | 'certificate'
  | 'subject_token'
  | 'actor_token'
  | 'attestation'

/** One unverified credential. Nothing in it may be believed. */
export type Evidence = {
  readonly role: Role
  readonly carrier: Carrier
  /** The credential as received, already capped in size by the HTTP room. */
  readonly value: string
  /** The kind of attestor that has to answer for it, where the caller says what it shows; else whichever is selected. */
  readonly kind?: string
  /** How it is written, where it is no JWT: the last part of its type, such as `aws-caller-identity` or `nitro`. */
  readonly format?: string
}

/** A challenge of ours that evidence repeats under its signature. It is good for one token. */
export type Answered = {
  readonly challenge: string
  /** Epoch seconds when it ends. */
  readonly expiresAt: number
}

/** What an attestor proved about one party. Facts only, never a decision. */
export type Identity = {
  /** The attestor's kind, such as `kubernetes`. */
  readonly kind: string
  /** The trust entry that vouches, unique in the configuration: `kubernetes:prod-eu`. */
  readonly trust: string
  /** Canonical URI: `k8s://<cluster>/ns/<namespace>/sa/<name>`. It becomes `sub` and `client_id`. */
  readonly uri: string
  /** The Cedar principal. Its id and `uri` are made of the same parts. */
  readonly principal: EntityRef
  /** What the principal is in, innermost first: Namespace, then Cluster. */
  readonly ancestry: readonly EntityRef[]
  readonly facts: Facts
  /** When the evidence was issued and when it ends, epoch seconds. A token never outlives `expiresAt`. */
  readonly issuedAt: number
  readonly expiresAt: number
  /**
   * Whether this evidence may be shown again, its key in the replay store, and when it is over by itself, epoch
   * seconds, where `expiresAt` is earlier: second evidence that ends first must not make it new.
   */
  readonly replay: {
    readonly policy: 'once' | 'reusable'
    readonly key: string
    readonly until?: number
  }
  /** The challenges that the evidence answers. Left out: none. */
  readonly challenges?: readonly Answered[]
  /** What a revocation can name: `pod:<cluster>/<uid>`, `node:<cluster>/<uid>`, …, unhashed. */
  readonly lineage: readonly string[]
}

/** What verification needs and had to wait for. Opaque to everyone but the attestor that made it. */
export type Prepared = Proof<Identity>

/** As `Prepared`, for whatever is proved. `verify` refuses by throwing. */
export type Proof<Proved> = { readonly verify: (nowSeconds: number) => Proved }

/** What second evidence proved of a machine or workload. It makes nobody a principal. */
export type Attested = {
  /** The machine or workload as its platform names it. */
  readonly subject: string
  /** They join those of the first evidence, with grade, source and age of their own. */
  readonly facts: Facts
  /** What a revocation can name, unhashed. */
  readonly lineage: readonly string[]
  /** Epoch seconds. Nothing that rests on it outlives `expiresAt`. */
  readonly issuedAt: number
  readonly expiresAt: number
}

/** One type of second evidence that a trust entry takes beside its own. Every method refuses by throwing `Refusal`. */
export interface SecondEvidence {
  /**
   * The challenge that it says it answers, so that one which is not ours is refused before anything else is done.
   * Nothing is proved by it.
   */
  claimedChallenge(value: string): string
  /**
   * Does what must wait, after the checks that cost nothing. `verify` then runs to the end at once.
   * @param challenge ours, and not over: what the platform has to have signed, exactly
   */
  prepare(
    value: string,
    challenge: string,
    nowSeconds: number,
  ): Proof<Attested> | Promise<Proof<Attested>>
  /**
   * The rule by which both belong together: they name the same machine or workload by what platforms signed.
   * @returns null when they do; else what does not match, for the operator. The request is then refused as
   *   `attestation_mismatched`
   */
  mismatch(first: Identity, second: Attested): Detail | null
}

/**
 * One trust entry at work. Every method refuses by throwing `Refusal`.
 * An attestor returns facts; it never judges whether the workload may have what it asks for.
 */
export interface Attestor {
  readonly kind: string
  /** Unique name of the trust entry: `<kind>:<name>`. */
  readonly trust: string
  /**
   * The exact `iss` values that select this entry, the configured one first; a SPIFFE trust domain stands as
   * `spiffe://<trust domain>`. Selection proves nothing. Empty while the platform has not said yet what its issuer
   * is; then `prepare` refuses.
   */
  readonly issuers: readonly string[]
  /** The sole audience that this entry accepts; the first of `audiences` where there are any. */
  readonly audience: string
  /** Where the platform fixes audiences: all that this entry accepts, of which a token names one. */
  readonly audiences?: readonly string[]
  /**
   * Whether claims, unverified or not, say what this entry requires beside issuer and audience: what tells entries
   * of one issuer and audience apart. Left out: always.
   */
  readonly matches?: (claims: JsonObject) => boolean
  /** Signature algorithms that this entry accepts (RFC 7518 §3.1). */
  readonly algorithms: readonly string[]
  /** What this entry takes in place of a JWT, by format (`Evidence.format`). Left out: nothing. */
  readonly direct?: ReadonlyMap<string, DirectEvidence>
  /** What this entry takes beside its own evidence, by format (`Evidence.format`). Left out: nothing. */
  readonly second?: ReadonlyMap<string, SecondEvidence>
  /**
   * Does all that must wait (key fetch, TokenReview), after the checks that cost nothing.
   * Returns synchronously when nothing has to be waited for. `verify` then runs to the end at once:
   * signature first, then claims.
   */
  prepare(jwt: UnverifiedJwt, nowSeconds: number): Prepared | Promise<Prepared>
  /** Starts background work (key refresh). Never throws for an unreachable issuer. */
  start(): Promise<void>
  /** What an operator sees in `doctor`, `/readyz` logs and metrics. */
  health(): AttestorHealth
  close(): void
}

/** State of an attestor's key source, for people and for metrics. */
export type AttestorHealth = {
  readonly trust: string
  readonly ready: boolean
  readonly keys: number
  /** Seconds since the keys were last read; null when they never were. */
  readonly keysAgeSeconds: number | null
  /** The issuer's clock minus ours when the keys were last read over HTTP; null when it is not known. */
  readonly clockSkewSeconds: number | null
  /** The last failure as a sentence for the operator; null when the last refresh worked. */
  readonly problem: string | null
  /** Epoch seconds at which evidence of this entry last held; null for never since the start. Absent where nobody notes it. */
  readonly lastSuccessAt?: number | null
  /** What is known live of the platform, collection by collection; absent where nothing is watched. */
  readonly cluster?: readonly CollectionHealth[]
  /** What is known of the signatures of images; absent where nobody verifies them. */
  readonly images?: ImagesHealth
}

/** How many images are known to be signed, or not. */
export type ImagesHealth = {
  readonly verified: number
  readonly unknown: number
  readonly failed: number
  /** Images that are looked up, or wait for it. */
  readonly waiting: number
  /** The last look that did not end with `verified`, as a sentence for the operator; null before there was one. */
  readonly problem: string | null
}

/** How well one kind of object of a watched platform is known. */
export type CollectionHealth = {
  /** Its name in the platform's API, such as `pods`. */
  readonly collection: string
  /** Whether it has been read completely at least once. */
  readonly synced: boolean
  /** Whether it can be believed now. */
  readonly fresh: boolean
  /** Seconds since the platform was last heard for it; null before the first time. */
  readonly ageSeconds: number | null
  readonly objects: number
  /** The last failure as a sentence for the operator; null while it works. */
  readonly problem: string | null
  /** The permissions that reading it needs, as a sentence for the operator. */
  readonly needs: string
}

/** Reports one problem at a path below the trust entry's own settings. */
export type Report = (path: readonly (string | number)[], message: string) => void

/**
 * Judges an issuer that an entry found out after the configuration was checked.
 * @returns what is wrong with it, to complete "the issuer …"; null when the entry may answer for it
 */
export type IssuerFault = (issuer: string) => string | null

/** What tells an entry from others of its kind that share an issuer and an audience with it. */
export type Selection = {
  /** Names the key source: under one issuer, equal names are the same keys. */
  readonly keySource: string
  /** The texts that a claim may have, by one spelling of where it is. All of them have to hold. */
  readonly requires: Readonly<Record<string, readonly string[]>>
}

/** What the configuration settles for an entry of any kind. */
export type TrustCommon = {
  readonly trust: string
  readonly audience: string
}

/** The world as an attestor may see it: the one door out, the clock, and a log for the operator. */
export type AttestorWorld = {
  readonly door: Door
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly warn: (detail: Detail, sentence: string) => void
}

/**
 * One kind of platform: a row of the table in `attestors/index.ts`. The configuration's schema, checks and
 * factory live together, so that no other file names the kind.
 */
export interface AttestorKind<Settings> {
  readonly kind: string
  /** JSON Schema (TypeBox) of the settings below the kind's key, those that every kind has excepted. */
  readonly schema: TSchema
  /** The entry's own name, unique within its kind. */
  name(settings: Settings): string
  /** The exact `iss` values this entry answers for; none where the platform has to be asked first. */
  issuers(settings: Settings): readonly string[]
  /**
   * The audiences of this entry, for a platform whose callers cannot ask for ours. Without it the entry has the
   * one that the configuration gives it: the broker's issuer, or a URL below it.
   */
  audiences?(settings: Settings): readonly string[]
  /** Whether the platform itself fixed this audience, so that it need not be below our issuer. Left out: never. */
  fixesAudience?(settings: Settings, audience: string): boolean
  /** What tells entries of one issuer and audience apart. Left out: nothing does. */
  selection?(settings: Settings): Selection
  /** Whether all evidence of this entry is good for one token only. Left out: never. */
  oneTime?(settings: Settings): boolean
  /** The entity that an `environment` holds: `Cluster::"prod-eu"`. */
  anchor(settings: Settings): EntityRef
  /** Reports what the schema cannot say. */
  check(settings: Settings, report: Report): void
  /** @param faultOf judges an issuer that is not in the configuration, before it is answered for */
  create(
    settings: Settings,
    common: TrustCommon,
    world: AttestorWorld,
    faultOf: IssuerFault,
  ): Attestor
  /** Left out: the kind's evidence is JWTs alone. */
  readonly relay?: RelayKind<Settings>
}
