/**
 * What the broker remembers: spent evidence, signing keys, and the decisions an operator may ask about.
 * Tokens are not stored. Types only; `sqlite.ts` is the embedded implementation, for one replica, and
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

/** What another replica may have changed. */
export type Topic = 'signing_keys'

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
  /** Keeps an event until `prune` drops it, in place of one with the same id. It survives the process, not a power cut. */
  keepDecision(decision: StoredDecision): Promise<void>
  /** The event as written; null when it is unknown or older than `notBefore`, epoch seconds. */
  findDecision(id: string, notBefore: number): Promise<string | null>
  listKeys(): Promise<readonly KeyRecord[]>
  /** Adds a key; false when another replica has already added one with that sequence. */
  addKey(record: KeyRecord): Promise<boolean>
  /**
   * Drops spent rows past their end and decisions older than `decisionsBefore`, epoch seconds: all but what another
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
