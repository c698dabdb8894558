/**
 * The keys of one trust entry, kept fresh. Requests never wait for a refresh while a usable set exists,
 * and no flood of requests becomes a flood of fetches. A source belongs to one entry: a `kid` means
 * nothing outside it.
 */

import type { AttestorHealth } from '../identity.ts'
import { type Detail, printable, Refusal } from '../refusal.ts'
import type { KeyReader, Reading } from './keyreader.ts'
import { type KeySet, readKeySet, type VerificationKey } from './keyset.ts'
import type { Algorithm } from './signature.ts'
import type { Timers } from './timers.ts'

export type KeySourceOptions = {
  readonly read: KeyReader
  /** What the trust entry accepts. A key is used with these and no others. */
  readonly algorithms: readonly Algorithm[]
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly timers: Timers
  /** Tells the operator about failed refreshes and rejected keys. */
  readonly warn: (detail: Detail, sentence: string) => void
}

/** Stale keys are used for a day when the issuer cannot be reached, then no longer. */
const STALE_LIMIT_MS = 24 * 3600_000
/** What is asked of the issuer by requests with unknown kids: one fetch in 10 s, two in a row. */
const TOKEN_MS = 10_000
const BURST = 2
const UNKNOWN_MS = 60_000
const UNKNOWN_KIDS = 1_000
const BACKOFF_MS = { first: 1_000, most: 60_000 }
const LIFETIME_MS = { least: 5 * 60_000, most: 3600_000 }

/** One entry's keys. `find` is for requests; `obtain` is for those that found nothing. */
export class KeySource {
  private readonly options: KeySourceOptions
  private readonly unknown: RecentKids
  private readonly bucket: TokenBucket
  private set: KeySet = { keys: new Map(), rejected: [] }
  /** When the keys were last read, and from when on they are no longer used; milliseconds. */
  private readAt: number | null = null
  private uselessAt = Number.NEGATIVE_INFINITY
  private clockSkewSeconds: number | null = null
  private failures = 0
  private retryAt = 0
  private problem: string | null = null
  private inFlight: Promise<void> | undefined
  private cancelRefresh: () => void = () => {}
  private closed = false

  constructor(options: KeySourceOptions) {
    this.options = options
    this.unknown = new RecentKids(options.now)
    this.bucket = new TokenBucket(options.now)
  }

  /** The key of that name, when the set can be used now. Costs one map look-up. */
  find(kid: string): VerificationKey | undefined {
    return this.isUsable() ? this.set.keys.get(kid) : undefined
  }

  /**
   * Asks the issuer for a key that is not known yet, within the limits above.
   * @throws Refusal `key_unknown` when the issuer has no such key; `issuer_keys_unavailable` when that
   *   cannot be found out now
   */
  async obtain(kid: string): Promise<VerificationKey> {
    const key = await this.seek(kid, () => this.set.keys.get(kid))
    if (key === undefined) throw this.keyUnknown(kid)
    return key
  }

  /**
   * Finds what is read together with the keys, such as X.509 authorities; where it is not there, the issuer is asked
   * within the limits above. Nothing is found while the set cannot be used.
   * @param name what is looked for, as unknown kids are remembered
   * @returns undefined when the issuer does not have it
   * @throws Refusal `issuer_keys_unavailable` when that cannot be found out now
   */
  async seek<Found>(name: string, find: () => Found | undefined): Promise<Found | undefined> {
    const known = this.isUsable() ? find() : undefined
    if (known !== undefined || (this.isUsable() && this.unknown.has(name))) return known
    this.admit(name)
    await this.refresh()
    const found = this.isUsable() ? find() : undefined
    if (found !== undefined) return found
    if (this.failures > 0) throw this.unavailable(name)
    this.unknown.add(name)
    return undefined
  }

  /** Reads the keys for the first time and begins to refresh them. Never rejects. */
  start(): Promise<void> {
    return this.refresh()
  }

  health(): Omit<AttestorHealth, 'trust'> {
    return {
      ready: this.isUsable() && this.set.keys.size > 0,
      keys: this.set.keys.size,
      keysAgeSeconds: this.ageSeconds(),
      clockSkewSeconds: this.clockSkewSeconds,
      problem: this.problem,
    }
  }

  /** Ends background work. A refresh under way still ends, without a successor. */
  close(): void {
    this.closed = true
    this.cancelRefresh()
  }

  private isUsable(): boolean {
    return this.options.now() < this.uselessAt
  }

  private isCircuitOpen(): boolean {
    return this.failures > 0 && this.options.now() < this.retryAt
  }

  /** Decides whether one more refresh may be asked for on behalf of an unknown kid. */
  private admit(kid: string): void {
    if (this.isCircuitOpen()) throw this.unavailable(kid)
    if (this.inFlight !== undefined || !this.isUsable()) return
    // Not `key_unknown`: the key may be new, and its holder shall try again.
    if (!this.bucket.take())
      throw this.unavailable(kid, 'too many unknown kids; refresh limit reached')
  }

  private refresh(): Promise<void> {
    this.inFlight ??= this.load().finally(() => {
      this.inFlight = undefined
    })
    return this.inFlight
  }

  private async load(): Promise<void> {
    this.cancelRefresh()
    let delayMs: number
    try {
      const reading = await this.options.read()
      this.adopt(readKeySet(reading.text, this.options.algorithms), reading)
      delayMs = this.refreshDelay(reading.maxAgeSeconds * 1000)
    } catch (cause) {
      delayMs = this.fail(cause)
    }
    if (this.closed || delayMs === Number.POSITIVE_INFINITY) return
    this.cancelRefresh = this.options.timers.after(delayMs, () => void this.refresh())
  }

  private adopt(set: KeySet, { maxAgeSeconds, serverTimeMs }: Reading): void {
    const { now, warn } = this.options
    // Reported when it changes, not on every refresh.
    if (set.rejected.join() !== this.set.rejected.join()) {
      for (const sentence of set.rejected) warn({}, sentence)
    }
    this.set = set
    this.readAt = now()
    // Keys that never age (inline) never grow stale either.
    this.uselessAt = maxAgeSeconds === Infinity ? Infinity : this.readAt + STALE_LIMIT_MS
    this.clockSkewSeconds =
      serverTimeMs === null ? null : Math.trunc((serverTimeMs - this.readAt) / 1000) + 0
    this.failures = 0
    this.problem = set.keys.size === 0 ? 'the issuer offers no usable key' : null
  }

  /** Notes a failure. Returns the delay until the next attempt, which all callers share. */
  private fail(cause: unknown): number {
    const { now, timers, warn } = this.options
    const ceiling = Math.min(BACKOFF_MS.first * 2 ** this.failures, BACKOFF_MS.most)
    const delayMs = ceiling * (0.5 + timers.random() / 2)
    this.failures += 1
    this.retryAt = now() + delayMs
    this.problem = cause instanceof Error ? cause.message : printable(cause)
    const detail = {
      problem: this.problem,
      failures: this.failures,
      keysAgeSeconds: this.ageSeconds(),
    }
    warn(detail, 'The keys of a trust entry could not be refreshed.')
    return delayMs
  }

  /** Half to four fifths of the lifetime, so that replicas do not ask all at once. */
  private refreshDelay(maxAgeMs: number): number {
    if (maxAgeMs === Number.POSITIVE_INFINITY) return maxAgeMs
    const lifetimeMs = Math.min(Math.max(maxAgeMs, LIFETIME_MS.least), LIFETIME_MS.most)
    return lifetimeMs * (0.5 + 0.3 * this.options.timers.random())
  }

  private ageSeconds(): number | null {
    return this.readAt === null ? null : Math.floor((this.options.now() - this.readAt) / 1000)
  }

  private keyUnknown(kid: string): Refusal {
    return new Refusal('key_unknown', {
      kid: printable(kid),
      known: [...this.set.keys.keys()].map(printable),
      keysAgeSeconds: this.ageSeconds(),
    })
  }

  private unavailable(kid: string, problem = this.problem): Refusal {
    return new Refusal('issuer_keys_unavailable', {
      kid: printable(kid),
      problem,
      keysAgeSeconds: this.ageSeconds(),
      retrySeconds: Math.max(0, Math.ceil((this.retryAt - this.options.now()) / 1000)),
    })
  }
}

/** Kids that the issuer did not have when it was last asked. Bounded: the oldest is forgotten. */
class RecentKids {
  private readonly until = new Map<string, number>()
  private readonly now: () => number

  constructor(now: () => number) {
    this.now = now
  }

  has(kid: string): boolean {
    return this.now() < (this.until.get(kid) ?? 0)
  }

  add(kid: string): void {
    this.until.delete(kid)
    this.until.set(kid, this.now() + UNKNOWN_MS)
    const [oldest] = this.until.keys()
    if (this.until.size > UNKNOWN_KIDS && oldest !== undefined) this.until.delete(oldest)
  }
}

class TokenBucket {
  private readonly now: () => number
  private tokens = BURST
  private countedAt: number

  constructor(now: () => number) {
    this.now = now
    this.countedAt = now()
  }

  take(): boolean {
    const now = this.now()
    this.tokens = Math.min(BURST, this.tokens + (now - this.countedAt) / TOKEN_MS)
    this.countedAt = now
    if (this.tokens < 1) return false
    this.tokens -= 1
    return true
  }
}
