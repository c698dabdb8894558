/** `countersign policy replay`: what candidate policies would have done to recorded requests. */

import { decide } from '../../policy/decide.ts'
import type { Generation } from '../../policy/generation.ts'
import { createTally, type FlipGroup, flips, type Tally } from '../../policy/replay.ts'
import { readRecorded } from '../../policy/report/recorded.ts'
import { type Command, parseOptions, required, type Terminal, UsageError } from '../command.ts'
import { batches } from './lines.ts'
import { printMarkdown, printReport } from './replayed.ts'
import { parsed } from './requests.ts'
import { nearby, openSite, POLICY_OPTIONS, readGeneration } from './sources.ts'
import { why } from './told.ts'

/** What a replay came to. */
export type Replayed = {
  readonly log: string
  readonly candidate: Side
  /** Null: what was recorded. */
  readonly baseline: Side | null
  readonly lines: number
  /** Requests that were decided again. */
  readonly decided: number
  /** Refused before there was anything to decide. */
  readonly undecided: number
  readonly malformed: number
  /** The first of them, counted from 1. */
  readonly malformedLines: readonly number[]
  /** Requests of which something changes, and all that they ask for. */
  readonly affected: number
  readonly losses: number
  readonly gains: number
  /** Requests that keep all they ask for, for another time. */
  readonly lifetimes: number
  readonly ungrouped: number
  readonly groups: readonly ToldGroup[]
  /** ISO 8601 of the first and the last request; null when there was none. */
  readonly from: string | null
  readonly to: string | null
  readonly seconds: number
}

/** Flips that are alike, and why the first of them is one. */
export type ToldGroup = Omit<FlipGroup, 'example'> & { readonly why: readonly string[] }

/** One set of policies. */
export type Side = { readonly path: string; readonly generation: Generation }

const SHOWN_LINES = 10

export const command: Command = {
  usage: `usage: countersign policy replay --log FILE --candidate DIR [options]

  --log FILE        the audit log, one event a line; - for standard input
  --candidate DIR   the policies to try
  --baseline DIR    compare with these policies (default: with what was recorded)
  --fail-on loss    exit 1 when somebody loses access
  --markdown        print a comment for a pull request
  --config FILE     the configuration (default countersign.yaml)
  --json            print the result as JSON

Lists who would lose and who would gain what, by which policy, grouped and counted. Lines that cannot be
read are counted and passed over.`,

  async run(args, terminal) {
    const { values } = parseOptions(args, {
      options: {
        ...POLICY_OPTIONS,
        log: { type: 'string' },
        candidate: { type: 'string' },
        baseline: { type: 'string' },
        markdown: { type: 'boolean', default: false },
        'fail-on': { type: 'string' },
      },
    })
    const log = required(values.log, '--log')
    const candidate = required(values.candidate, '--candidate')
    const failOn = values['fail-on']
    if (failOn !== undefined && failOn !== 'loss') throw new UsageError('--fail-on takes: loss')
    const { settings } = openSite(values, undefined, terminal)
    const side = async (path: string) => ({
      path,
      generation: await readGeneration(nearby(path), settings),
    })
    const baseline = values.baseline === undefined ? null : await side(values.baseline)
    const replayed = await replay(log, await side(candidate), baseline)
    print(replayed, values, terminal)
    return failOn === 'loss' && replayed.losses > 0 ? 1 : 0
  },
}

function print(
  replayed: Replayed,
  { json, markdown }: { readonly json?: boolean; readonly markdown?: boolean },
  terminal: Terminal,
): void {
  if (json) {
    const named = (side: Side | null) => side && { path: side.path, generation: side.generation.id }
    const { candidate, baseline } = replayed
    terminal.out(
      JSON.stringify({ ...replayed, candidate: named(candidate), baseline: named(baseline) }),
    )
  } else if (markdown) printMarkdown(replayed, terminal)
  else printReport(replayed, terminal)
}

/** Counts as they grow. */
type Counts = {
  lines: number
  decided: number
  undecided: number
  malformed: number
  malformedLines: number[]
  affected: number
  lifetimes: number
  from: string | null
  to: string | null
}

/**
 * Decides every request of a log again. Streams: memory depends on the number of groups.
 *
 * @throws Error when the log cannot be read
 */
export async function replay(
  log: string,
  candidate: Side,
  baseline: Side | null,
): Promise<Replayed> {
  const started = performance.now()
  const tally = createTally()
  const counts: Counts = {
    lines: 0,
    decided: 0,
    undecided: 0,
    malformed: 0,
    malformedLines: [],
    affected: 0,
    lifetimes: 0,
    from: null,
    to: null,
  }
  for await (const lines of batches(log)) {
    for (const { number, text } of lines) {
      if (text?.trim() === '') continue
      counts.lines += 1
      const sound = text !== null && again(parsed(text), candidate, baseline, tally, counts)
      if (sound) continue
      counts.malformed += 1
      if (counts.malformedLines.length < SHOWN_LINES) counts.malformedLines.push(number)
    }
  }
  return {
    log,
    candidate,
    baseline,
    ...counts,
    losses: tally.total('loses'),
    gains: tally.total('gains'),
    ungrouped: tally.ungrouped(),
    groups: tally.groups().map(({ example, ...group }) => {
      const told = example === null ? [] : why(example, group.action, candidate.generation)
      return { ...group, why: told }
    }),
    seconds: (performance.now() - started) / 1000,
  }
}

/** Decides one event again. @returns false for what is no event */
function again(
  value: unknown,
  candidate: Side,
  baseline: Side | null,
  tally: Tally,
  counts: Counts,
): boolean {
  const recorded = readRecorded(value)
  if (recorded === null) return false
  const { id, at, question } = recorded
  const before =
    question === null || baseline === null ? recorded : decide(question, baseline.generation)
  if (question === null || before.rulings === null) {
    counts.undecided += 1
    return true
  }
  const after = decide(question, candidate.generation)
  const changed = flips(question, before.rulings, after.rulings)
  for (const flip of changed) tally.add(flip, question, id, at)
  counts.decided += 1
  if (changed.length > 0) counts.affected += 1
  else if (after.permitted && before.ttl !== after.ttl) counts.lifetimes += 1
  if (counts.from === null || at < counts.from) counts.from = at
  if (counts.to === null || at > counts.to) counts.to = at
  return true
}
