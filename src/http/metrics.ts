/** What Prometheus reads. One registry a broker: no global state. */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Stage } from '../exchange.ts'
import type { AttestorHealth, CollectionHealth } from '../identity.ts'
import { PIN_OUTCOMES, type PinOutcome } from '../pinning.ts'
import type { PolicyStatus } from '../policies.ts'
import type { Decision } from '../policy/question.ts'
import type { Reason } from '../refusal.ts'
import { type Operations, registerOperations } from './operations.ts'

/** Counts and times requests. */
export type Meter = {
  issued(): void
  refused(reason: Reason | 'internal_error'): void
  /** Counts an answer about a token. */
  introspected(active: boolean): void
  /** Counts what policies of mode `report` would have changed. */
  ruled(decision: Decision): void
  /** Counts what became of a platform token that its trust entry pins. */
  pinned(trust: string, outcome: PinOutcome): void
  /** Notes how long a stage of one request took, milliseconds. */
  took(stage: Stage, milliseconds: number): void
  /** The text exposition format, and its content type. */
  expose(): Promise<{ readonly type: string; readonly text: string }>
}

/** What is read when Prometheus asks, rather than counted. */
export type Gauges = Operations & {
  readonly policies: () => PolicyStatus
  readonly attestors: () => readonly AttestorHealth[]
  /** The trust entries that pin. */
  readonly pinning: readonly string[]
  /** Events that the store could not keep, since the start. */
  readonly unkept: () => number
}

/** Stages run from microseconds (a cached key) to seconds (a slow dependency). */
const STAGE_BUCKETS_SECONDS = [
  0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.02, 0.1, 1, 5,
]

/** Starts counting. */
export function createMeter(gauges: Gauges): Meter {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const requests = new Counter({
    name: 'countersign_token_requests_total',
    help: 'Token requests by outcome (issued, refused, failed) and reason.',
    labelNames: ['outcome', 'reason'],
    registers,
  })
  const introspections = new Counter({
    name: 'countersign_introspections_total',
    help: 'Answers about tokens, by what they say: active is 1 for a token that is good, else 0.',
    labelNames: ['active'],
    registers,
  })
  const stages = new Histogram<'stage'>({
    name: 'countersign_stage_seconds',
    help: 'Time spent in each stage of a token request.',
    labelNames: ['stage'],
    buckets: STAGE_BUCKETS_SECONDS,
    registers,
    collect: () => timings.flush(),
  })
  const timings = deferred((stage: Stage, milliseconds) =>
    stages.observe({ stage }, milliseconds / 1000),
  )
  const reported = new Counter({
    name: 'countersign_policy_report_total',
    help: 'Rulings that policies of mode "report" would have changed: the result in force, and the one they would give.',
    labelNames: ['result', 'would'],
    registers,
  })
  const pins = pinCounter(gauges.pinning, registry)
  registerGauges(gauges, registry)
  clusterGauges(gauges, registry)
  registerOperations(gauges, registry)

  return {
    ruled(decision) {
      for (const { result, report } of decision.rulings) {
        if (report !== null) reported.inc({ result, would: report.result })
      }
    },
    issued: () => requests.inc({ outcome: 'issued', reason: '' }),
    refused(reason) {
      const outcome = reason === 'internal_error' ? 'failed' : 'refused'
      requests.inc({ outcome, reason })
    },
    pinned: (trust, outcome) => pins.inc({ trust, outcome }),
    introspected: (active) => introspections.inc({ active: active ? 1 : 0 }),
    took: timings.note,
    async expose() {
      return { type: registry.contentType, text: await registry.metrics() }
    },
  }
}

/** Every series is there from the start: an increase from nothing to one is none for Prometheus. */
function pinCounter(entries: readonly string[], registry: Registry) {
  const pins = new Counter({
    name: 'countersign_evidence_pins_total',
    help: 'Platform tokens by their first use, with a key (pinned) or without (keyless), and uses with another key than the first (mismatched).',
    labelNames: ['trust', 'outcome'],
    registers: [registry],
  })
  for (const trust of entries) {
    for (const outcome of PIN_OUTCOMES) pins.inc({ trust, outcome }, 0)
  }
  return pins
}

/** How many times are noted before the histogram hears of them. */
const NOTED = 512

/** Times that are only noted; the histogram, dear one by one, is told hundreds in a row. */
function deferred(observe: (stage: Stage, milliseconds: number) => void) {
  const stages: Stage[] = []
  const times: number[] = []
  const flush = () => {
    for (const [index, stage] of stages.entries()) observe(stage, times[index] ?? 0)
    stages.length = 0
    times.length = 0
  }
  return {
    flush,
    note(stage: Stage, milliseconds: number): void {
      stages.push(stage)
      times.push(milliseconds)
      if (stages.length >= NOTED) flush()
    },
  }
}

function registerGauges(gauges: Gauges, registry: Registry): void {
  const registers = [registry]
  new Gauge({
    name: 'countersign_policies_loaded',
    help: 'Policies in force, by generation.',
    labelNames: ['generation'],
    registers,
    collect() {
      const status = gauges.policies()
      this.reset()
      this.set({ generation: status.generation }, status.policies)
    },
  })
  new Gauge({
    name: 'countersign_policies_failing',
    help: '1 while the newest policies on disk are bad and an older generation is in force.',
    registers,
    collect() {
      this.set(gauges.policies().failing === null ? 0 : 1)
    },
  })
  new Counter({
    name: 'countersign_policies_failures_total',
    help: 'Sets of policies that were refused since the start.',
    registers,
    collect() {
      this.reset()
      this.inc(gauges.policies().failures)
    },
  })
  new Counter({
    name: 'countersign_decisions_unkept_total',
    help: 'Decisions that are in the audit log only, because the store could not keep them.',
    registers,
    collect() {
      this.reset()
      this.inc(gauges.unkept())
    },
  })
  new Gauge({
    name: 'countersign_policies_age_seconds',
    help: 'Seconds since the policies in force were loaded.',
    registers,
    collect() {
      this.set(gauges.policies().ageSeconds)
    },
  })
  new Gauge({
    name: 'countersign_trust_keys_age_seconds',
    help: 'Seconds since the keys of a trust entry were last read.',
    labelNames: ['trust'],
    registers,
    collect() {
      this.reset()
      for (const { trust, keysAgeSeconds } of gauges.attestors()) {
        if (keysAgeSeconds !== null) this.set({ trust }, keysAgeSeconds)
      }
    },
  })
}

/** One series for each collection of each cluster that is watched. */
function clusterGauges(gauges: Gauges, registry: Registry): void {
  const rows: readonly (readonly [string, string, (state: CollectionHealth) => number | null])[] = [
    [
      'countersign_cluster_synced',
      '1 while a collection of a cluster is known and fresh, else 0.',
      ({ fresh }) => (fresh ? 1 : 0),
    ],
    [
      'countersign_cluster_age_seconds',
      'Seconds since the API server was last heard for a collection.',
      ({ ageSeconds }) => ageSeconds,
    ],
    [
      'countersign_cluster_objects',
      'Objects of a collection that are known.',
      ({ objects }) => objects,
    ],
  ]
  for (const [name, help, read] of rows) {
    new Gauge({
      name,
      help,
      labelNames: ['trust', 'collection'],
      registers: [registry],
      collect() {
        this.reset()
        for (const { trust, cluster = [] } of gauges.attestors()) {
          for (const state of cluster) {
            const value = read(state)
            if (value !== null) this.set({ trust, collection: state.collection }, value)
          }
        }
      },
    })
  }
}
