/**
 * What the broker remembers: spent and pinned evidence, signing keys, what was taken back, and the decisions an
 * operator may ask about. Tokens are not stored. Types only; `sqlite.ts` is the embedded implementation, for one replica, and
 * `postgres/` the one that replicas share.
 */

/** A signing key at rest. Its private half is sealed (see `keys.ts`) before it comes here. */
export type KeyRecord = {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string
  /** 1, 2, 3, …: unique, so that two replicas that rotate at once make one key, not two. */
  readonly sequence: number
  /** Epoch seconds. Published from `createdAt`, signs from `signsFrom`. */
  readonly createdAt: number
  readonly signsFrom: number
  /** The public key as JSON Web Key (RFC 7517), serialised. */
  readonly publicJwk: string
  readonly sealedPrivate: Uint8Array
}

/** One AuditEvent as written, kept for `GET /decisions/{id}`. `at` is in epoch seconds. */
export type StoredDecision = { readonly id: string; readonly at: number; readonly event: string }

/** What a revocation is about. A `key` is a signing key of ours, and with it every token that it signed. */
export type RevocationKind = 'token' | 'sub' | 'actor' | 'trust' | 'evidence' | 'key'

/** Something taken back. Instants in epoch seconds. */
export type Revocation = {
  readonly kind: RevocationKind
  /** How tokens carry what is revoked: its short hash (see `lineage.ts`). Unique over all kinds. */
  readonly name: string
  /** The same for people: a URI, a trust entry, a token's `jti`, … At most 512 characters. */
  readonly target: string
  readonly at: number
  /** When there is nothing left that it could stop, and the row may go; null while it is in force until lifted. */
  readonly until: number | null
  /** Since when the name is good again, for what is issued later; null while it is in force. */
  readonly liftedAt: number | null
  /** Who last revoked or lifted it, and why, as they said. */
  readonly by: string
  readonly reason: string
}

/** A revocation at rest. Each change gives it a higher sequence than any change before, of any revocation. */
export type RevocationRecord = Revocation & { readonly sequence: number }

/** The lifting of a revocation. `until` is when nothing that was issued before can still be valid. */
export type Lifting = Pick<Revocation, 'name' | 'by' | 'reason'> & {
  readonly at: number
  readonly until: number
}

/** Some of the revocations, in the order of their sequence. */
export type RevocationPage = {
  readonly records: readonly RevocationRecord[]
  /** Everything up to this sequence has been told. */
  readonly upTo: number
  /** The highest sequence there is; less than what the reader has seen in a store that was put back in time. */
  readonly latest: number
}

/** Revocations in one page at most. */
export const REVOCATION_PAGE = 1_000

/** What another replica may have changed. */
export type Topic = 'signing_keys' | 'revocations'

/**
 * The store. Every method rejects when the database cannot answer; the callers then refuse the request.
 */
export interface Store {
  /**
   * Spends one-time evidence: true for the first caller of a key, false for every other, across restarts
   * and replicas. Durable before it resolves.
   * @param key hash in the one key space of all carriers and endpoints
   * @param until epoch seconds after which the evidence is refused anyway and the row may go
   */
  spend(key: string, until: number): Promise<boolean>
  /** Takes one spending back. Only for whoever spent it, and only while no token left for it. */
  unspend(key: string): Promise<void>
  /**
   * Ties evidence to a holder, unless it is tied already: the first caller wins, across restarts and replicas.
   * Durable before it resolves.
   * @param key hash of the evidence, in the key space of `spend`
   * @param until epoch seconds after which the evidence is refused anyway and the row may go
   * @returns the holder on record: the caller's own when it was first, or came with the same one
   */
  pin(key: string, holder: string, until: number): Promise<string>
  /** Keeps an event until `prune` drops it, in place of one with the same id. It survives the process, not a power cut. */
  keepDecision(decision: StoredDecision): Promise<void>
  /** The event as written; null when it is unknown or older than `notBefore`, epoch seconds. */
  findDecision(id: string, notBefore: number): Promise<string | null>
  listKeys(): Promise<readonly KeyRecord[]>
  /** Adds a key; false when another replica has already added one with that sequence. */
  addKey(record: KeyRecord): Promise<boolean>
  /**
   * Puts a name out of use, or again after it was lifted. The end of one that is in force moves only later. Durable
   * before it resolves, and told as topic `revocations`.
   * @param revocation its `liftedAt` is null
   * @returns what is on record now
   */
  revoke(revocation: Revocation): Promise<RevocationRecord>
  /** Makes a name good again for what is issued later. @returns what is on record now; null when it was not in force */
  lift(lifting: Lifting): Promise<RevocationRecord | null>
  /**
   * Changes after a sequence. Whoever has read up to a sequence misses nothing that is committed later, however many
   * replicas write.
   */
  listRevocations(afterSequence: number): Promise<RevocationPage>
  /**
   * Drops spent rows, pins and revocations past their end and decisions older than `decisionsBefore`, epoch seconds: all but what another
   * replica drops at this moment.
   */
  prune(now: number, decisionsBefore: number): Promise<void>
  /**
   * Tells of changes, one's own included: in the embedded store those made through this object, in a shared one
   * those of every replica. After a time in which nothing could be heard, every topic is told, for it may have
   * changed. Telling may fail to happen, so whoever depends on a change also looks by itself now and then.
   * @returns what ends it
   */
  onChange(listener: (topic: Topic) => void): () => void
  /** Resolves when what was begun is done, or after a few seconds. Every method rejects afterwards. */
  close(): Promise<void>
}
