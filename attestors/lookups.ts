/**
 * Answers of a platform's API, kept for a short while: many requests of one machine ask once, also when they come at
 * the same moment. What failed is not kept; whoever asks next asks again.
 */

/** How long an answer is kept, in milliseconds, and how many of them. */
export type LookupLimits = { readonly keptMs: number; readonly most: number }

type Held<Answer> = { readonly answer: Promise<Answer>; readonly until: number }

export class Lookups<Answer> {
  private readonly limits: LookupLimits
  private readonly now: () => number
  private readonly held = new Map<string, Held<Answer>>()

  /** @param now milliseconds since the epoch */
  constructor(limits: LookupLimits, now: () => number) {
    this.limits = limits
    this.now = now
  }

  /**
   * @param key all that the answer depends on
   * @throws what `ask` threw, to everybody who waited for it
   */
  get(key: string, ask: () => Promise<Answer>): Promise<Answer> {
    const known = this.held.get(key)
    if (known !== undefined && this.now() < known.until) return known.answer
    const answer = ask()
    const fresh = { answer, until: this.now() + this.limits.keptMs }
    // The oldest is the first of the map, so a renewed one goes to its end.
    this.held.delete(key)
    this.held.set(key, fresh)
    const oldest = this.held.keys().next().value
    if (oldest !== undefined && this.held.size > this.limits.most) this.held.delete(oldest)
    answer.catch(() => {
      if (this.held.get(key) === fresh) this.held.delete(key)
    })
    return answer
  }

  get size(): number {
    return this.held.size
  }
}
