/** Results → figures for a file, and tables for people. */

import type { Stage } from '../../src/exchange.ts'
import type { Figures, StageMicros } from './contender.ts'
import type { Result } from './rounds.ts'
import { STAGES } from './stages.ts'
import { ratio, type Spread, spread } from './statistics.ts'

/** One contender, summarised. */
export type Summary = {
  readonly name: string
  readonly job: string
  readonly perSecond: Spread
  readonly toFloor: Spread
  readonly toPeer: Spread
  /** How many times the peer's CPU time of a request holds ours: what the rate would be on a core of one's own. */
  readonly cpuOfPeer: Spread
  readonly latencyMs: { readonly p50: Spread; readonly p99: Spread }
  readonly cpuMicros: Spread
  /** Elapsed µs of one request at a time, and CPU µs of one among many. Null where the server does not tell. */
  readonly alone: Breakdown | null
  readonly loaded: Breakdown | null
  readonly rounds: readonly Figures[]
}

/** A whole in µs, the stages that are known to be part of it, and what is left. */
export type Breakdown = {
  readonly stages: Partial<StageMicros>
  readonly rest: number
  readonly whole: number
}

/** Stages that run to the end at once: what elapses in them is their CPU time, however many requests wait. */
const SYNCHRONOUS: readonly Stage[] = ['prove', 'prepare', 'attest', 'policy', 'sign']

/**
 * Summarises each result beside the two that everything is compared with.
 * @throws Error when one of them did not take part
 */
export function summarise(
  results: readonly Result[],
  compared: { readonly floor: string; readonly peer: string },
): readonly Summary[] {
  const floor = ratesOf(results.find(({ name }) => name === compared.floor))
  const rival = results.find(({ name }) => name === compared.peer)
  const peer = ratesOf(rival)
  const peerCpu = rival?.rounds.map(({ cpuMicros }) => cpuMicros) ?? []
  return results.map((result) => {
    const { name, job, rounds, alone } = result
    const each = (figure: (round: Figures) => number) => spread(rounds.map(figure))
    return {
      name,
      job,
      perSecond: each(({ perSecond }) => perSecond),
      toFloor: ratio(ratesOf(result), floor),
      toPeer: ratio(ratesOf(result), peer),
      cpuOfPeer: ratio(
        peerCpu,
        rounds.map(({ cpuMicros }) => cpuMicros),
      ),
      latencyMs: {
        p50: each(({ latency }) => latency.p50),
        p99: each(({ latency }) => latency.p99),
      },
      cpuMicros: each(({ cpuMicros }) => cpuMicros),
      alone: alone && breakdown([alone], STAGES, ({ latency }) => latency.mean * 1000),
      loaded: breakdown(rounds, SYNCHRONOUS, (round) => round.cpuMicros),
      rounds,
    }
  })
}

function ratesOf(result: Result | undefined): readonly number[] {
  if (result === undefined) throw new Error('a contender that others are compared with is missing')
  return result.rounds.map(({ perSecond }) => perSecond)
}

function breakdown(
  rounds: readonly Figures[],
  parts: readonly Stage[],
  wholeOf: (round: Figures) => number,
): Breakdown | null {
  const told = rounds.flatMap(({ stages }) => stages ?? [])
  if (told.length === 0) return null
  const medians = parts.map((stage) => spread(told.map((stages) => stages[stage])).median)
  const whole = spread(rounds.map(wholeOf)).median
  return {
    stages: Object.fromEntries(parts.map((stage, index) => [stage, medians[index] ?? 0])),
    rest: medians.reduce((rest, each) => rest - each, whole),
    whole,
  }
}

/** The tables, ready to print. */
export function render(summaries: readonly Summary[]): string {
  return [
    table(
      [
        'contender',
        'requests/s',
        '÷ floor',
        '÷ oidc-provider',
        'p50 ms',
        'p99 ms',
        'CPU µs',
        'oidc-provider ÷ CPU',
      ],
      summaries.map((each) => [
        each.name,
        shown(each.perSecond, 0),
        shown(each.toFloor, 2),
        shown(each.toPeer, 2),
        each.latencyMs.p50.median.toFixed(2),
        each.latencyMs.p99.median.toFixed(2),
        each.cpuMicros.median.toFixed(0),
        shown(each.cpuOfPeer, 2),
      ]),
    ),
    'Where the time of one request goes, one at a time: mean µs.',
    breakdownTable(summaries, 'alone', STAGES, ['HTTP', 'whole']),
    'Where the CPU time goes under load: mean µs. Spend and audit wait for their turn, so their own is not known;\n' +
      'on a busy machine the stages also hold the time in which something else ran.',
    breakdownTable(summaries, 'loaded', SYNCHRONOUS, ['spend, audit, HTTP', 'whole']),
  ].join('\n\n')
}

function breakdownTable(
  summaries: readonly Summary[],
  which: 'alone' | 'loaded',
  parts: readonly Stage[],
  others: readonly [rest: string, whole: string],
): string {
  const rows = summaries.flatMap(({ name, [which]: told }) => {
    if (told === null) return []
    const figures = [...parts.map((stage) => told.stages[stage] ?? 0), told.rest, told.whole]
    return [[name, ...figures.map((figure) => figure.toFixed(0))]]
  })
  return table(['contender', ...parts, ...others], rows)
}

function shown({ median, least, most }: Spread, digits: number): string {
  const written = (value: number) =>
    value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return `${written(median)} (${written(least)}..${written(most)})`
}

/** Columns as wide as they must be: the first to the left, figures to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows]
  const widths = head.map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  )
  const aligned = lines.map((line) =>
    line.map((cell, column) => {
      const width = widths[column] ?? 0
      return column === 0 ? cell.padEnd(width) : cell.padStart(width)
    }),
  )
  return aligned.map((cells) => cells.join('   ').trimEnd()).join('\n')
}
