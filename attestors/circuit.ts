/**
 * Keeps a service that fails from being asked by everybody: after some failures in a row it is left alone for a
 * while, and then one call may try. It also bounds how many calls are under way at once.
 */

/** How much a service is asked, and how long it is left alone. */
export type CircuitLimits = {
  /** Calls under way at once. */
  readonly most: number
  /** Failures in a row after which it is left alone. */
  readonly failures: number
  readonly restMs: number
}

/** A call that was not made; its message is for the operator. */
export class CircuitError extends Error {
  override readonly name = 'CircuitError'
}

export class Circuit {
  private readonly limits: CircuitLimits
  private readonly now: () => number
  private underWay = 0
  private failed = 0
  private restsUntil = Number.NEGATIVE_INFINITY

  /** @param now milliseconds since the epoch */
  constructor(limits: CircuitLimits, now: () => number) {
    this.limits = limits
    this.now = now
  }

  /**
   * @param isFailure whether what the call threw is the service's failure. What a caller can bring about is none, or
   *   anybody could switch the service off for all
   * @throws CircuitError when the call was not made; else what the call threw
   */
  async call<Result>(
    work: () => Promise<Result>,
    isFailure: (error: unknown) => boolean,
  ): Promise<Result> {
    this.enter()
    this.underWay += 1
    try {
      const result = await work()
      this.failed = 0
      return result
    } catch (error) {
      if (isFailure(error)) this.fail()
      else this.failed = 0
      throw error
    } finally {
      this.underWay -= 1
    }
  }

  private enter(): void {
    const { most, failures, restMs } = this.limits
    if (this.underWay >= most) throw new CircuitError(`${most} calls are already under way`)
    if (this.failed < failures) return
    const now = this.now()
    if (now < this.restsUntil) {
      throw new CircuitError(`left alone for a while after ${this.failed} failures`)
    }
    // This one tries; whoever comes until it is over does not.
    this.restsUntil = now + restMs
  }

  private fail(): void {
    this.failed += 1
    if (this.failed >= this.limits.failures) this.restsUntil = this.now() + this.limits.restMs
  }
}
