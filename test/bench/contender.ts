/** The nouns of the bench: who takes part, what a round asks of it, and what a round has measured. Types only. */

import type { StandIn } from '../../src/cli/standin.ts'
import type { Stage } from '../../src/exchange.ts'
import type { Pool } from './pool.ts'

/** One way of doing the job. It runs in a process of its own, except where it says otherwise. */
export type Contender = {
  readonly name: string
  /** What one operation is, for people who read the table. */
  readonly job: string
  /** Starts it and proves that it does its job. @throws Error when it does not */
  start(world: World): Promise<Started>
}

/** What all contenders of a run share. */
export type World = {
  /** An empty folder that goes when the run ends. */
  readonly folder: string
  /** Signs what workloads show to Countersign, and serves its keys. */
  readonly cluster: StandIn
  /** The form of every Countersign request: equal for all of its variants, so that only the variant differs. */
  readonly forms: Pool
}

/** A contender that answers. */
export type Started = {
  /** Prepares what the round needs, untimed, then runs and measures it. */
  round(effort: Effort): Promise<Figures>
  stop(): Promise<void>
}

/** What is asked of one round. */
export type Effort = {
  readonly connections: number
  /** A round ends after this time, or when its supply is used up. */
  readonly seconds: number
  /** How many one-time assertions are minted for the round. */
  readonly supply: number
}

/** What one round has measured. */
export type Figures = {
  readonly operations: number
  readonly perSecond: number
  /** Milliseconds from the first byte of the request to the last of the answer. */
  readonly latency: { readonly mean: number; readonly p50: number; readonly p99: number }
  /** CPU time of the server's process, all its threads, in µs an operation. */
  readonly cpuMicros: number
  /** Elapsed µs an operation by stage, where the server tells. */
  readonly stages: StageMicros | null
}

/** Mean µs of each stage of a token request. */
export type StageMicros = Readonly<Record<Stage, number>>
