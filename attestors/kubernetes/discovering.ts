/**
 * The attestor of a cluster whose `issuer` is not configured. Until the API server has named it, no token
 * selects this entry, and those for its audience are refused with 503; other entries do not notice.
 */

import type { Attestor, AttestorHealth, IssuerFault, Prepared } from '../../src/identity.ts'
import type { UnverifiedJwt } from '../../src/net/jwt.ts'
import type { Algorithm } from '../../src/net/signature.ts'
import type { Timers } from '../../src/net/timers.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import type { ClusterApi } from './api.ts'
import { readIssuer } from './entry.ts'

const BACKOFF_MS = { first: 1_000, most: 60_000 }

export type DiscoveringOptions = {
  readonly trust: string
  readonly audience: string
  readonly algorithms: readonly Algorithm[]
  readonly api: ClusterApi
  readonly timers: Timers
  /** Says why an issuer cannot be this entry's, or null. */
  readonly faultOf: IssuerFault
  readonly warn: (detail: { readonly problem: string }, sentence: string) => void
  /** Makes the attestor once the issuer is known. */
  readonly settle: (issuer: string) => Attestor
}

export class DiscoveringAttestor implements Attestor {
  readonly kind = 'kubernetes'
  readonly trust: string
  readonly audience: string
  readonly algorithms: readonly Algorithm[]
  private readonly options: DiscoveringOptions
  private settled: Attestor | null = null
  private problem = 'the API server has not been asked for the issuer yet'
  private failures = 0
  private closed = false
  private cancelRetry: () => void = () => {}

  constructor(options: DiscoveringOptions) {
    this.trust = options.trust
    this.audience = options.audience
    this.algorithms = options.algorithms
    this.options = options
  }

  get issuers(): readonly string[] {
    return this.settled?.issuers ?? []
  }

  prepare(jwt: UnverifiedJwt, nowSeconds: number): Prepared | Promise<Prepared> {
    if (this.settled !== null) return this.settled.prepare(jwt, nowSeconds)
    throw new Refusal('cluster_unreachable', { trust: this.trust, problem: this.problem })
  }

  async start(): Promise<void> {
    const { api, faultOf, settle } = this.options
    try {
      const issuer = await readIssuer(api)
      const fault = faultOf(issuer)
      if (fault !== null) throw new Error(`the issuer that the API server names ${fault}`)
      if (this.closed) return
      this.settled = settle(issuer)
      await this.settled.start()
    } catch (cause) {
      this.retry(cause)
    }
  }

  health(): AttestorHealth {
    if (this.settled !== null) return this.settled.health()
    const unknown = { keysAgeSeconds: null, clockSkewSeconds: null }
    return { trust: this.trust, ready: false, keys: 0, ...unknown, problem: this.problem }
  }

  close(): void {
    this.closed = true
    this.cancelRetry()
    this.settled?.close()
  }

  private retry(cause: unknown): void {
    const { timers, warn } = this.options
    const problem = cause instanceof Error ? cause.message : printable(cause)
    this.problem = `issuer not known yet: ${problem}`
    warn({ problem }, 'The issuer of a cluster could not be read from its API server.')
    const ceiling = Math.min(BACKOFF_MS.first * 2 ** this.failures, BACKOFF_MS.most)
    this.failures += 1
    if (this.closed) return
    this.cancelRetry = timers.after(ceiling * (0.5 + timers.random() / 2), () => void this.start())
  }
}
