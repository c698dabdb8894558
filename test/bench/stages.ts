/** Where a request's time goes, as the broker's own histogram tells it. */

import type { Stage } from '../../src/exchange.ts'
import type { StageMicros } from './contender.ts'

/** The stages in the order of a request. */
export const STAGES = [
  'prove',
  'prepare',
  'attest',
  'policy',
  'sign',
  'spend',
  'audit',
] as const satisfies Stage[]

const SUM = /^countersign_stage_seconds_sum\{stage="(\w+)"\} (\S+)$/gm

/** Seconds spent in each stage since the broker started, as `/metrics` says. */
export async function stageTotals(url: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(url)).text()
  return new Map([...text.matchAll(SUM)].map(([, stage = '', sum]) => [stage, Number(sum)]))
}

/** Mean µs of each stage between two readings. */
export function stagesBetween(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  operations: number,
): StageMicros {
  const mean = (stage: Stage) => {
    const seconds = (after.get(stage) ?? 0) - (before.get(stage) ?? 0)
    return (seconds * 1e6) / operations
  }
  return {
    prove: mean('prove'),
    prepare: mean('prepare'),
    attest: mean('attest'),
    policy: mean('policy'),
    sign: mean('sign'),
    spend: mean('spend'),
    audit: mean('audit'),
  }
}
