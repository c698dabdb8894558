/** Asks a platform about many things at once: what is asked while a call is under way goes with the next one. */

type Waiting<Answer> = {
  readonly id: string
  readonly resolve: (answer: Answer | undefined) => void
  readonly reject: (error: unknown) => void
}

export class Batches<Answer> {
  private readonly call: (ids: readonly string[]) => Promise<ReadonlyMap<string, Answer>>
  private readonly most: number
  private waiting: Waiting<Answer>[] = []
  private running = false

  /** @param most ids of one call */
  constructor(
    call: (ids: readonly string[]) => Promise<ReadonlyMap<string, Answer>>,
    most: number,
  ) {
    this.call = call
    this.most = most
  }

  /**
   * @returns undefined where the answer does not mention the id
   * @throws what the call threw, to everybody who was in it
   */
  get(id: string): Promise<Answer | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer | undefined>()
    this.waiting.push({ id, resolve, reject })
    if (!this.running) {
      this.running = true
      // What is asked in the same turn goes together.
      queueMicrotask(() => void this.run())
    }
    return promise
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const together = this.waiting.splice(0, this.most)
      try {
        const answers = await this.call(together.map(({ id }) => id))
        for (const { id, resolve } of together) resolve(answers.get(id))
      } catch (error) {
        for (const { reject } of together) reject(error)
      }
    }
    this.running = false
  }
}
