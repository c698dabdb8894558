/**
 * What other policies would have done to recorded requests. One decision at a time goes in; what is kept are
 * groups of flips, so that memory depends on how many people are affected and not on how long the log is.
 */

import type { Question, Ruling } from './question.ts'
import { entityText } from './scan.ts'

/** Whether somebody loses what they had, or gets what they had not. */
export type Direction = 'loses' | 'gains'

/** One action of one request that is ruled otherwise. */
export type Flip = {
  readonly direction: Direction
  readonly principal: string
  readonly audience: string
  /** The scope, or another action that was asked. */
  readonly action: string
  /** How it is ruled now. */
  readonly result: Ruling['result']
  /** The policies that make the difference: those that rule now, or the permits that no longer do. */
  readonly policies: readonly string[]
}

/** Flips that are alike. */
export type FlipGroup = Flip & {
  readonly count: number
  /** ISO 8601, UTC. */
  readonly first: string
  readonly last: string
  /** Some decision ids, for `policy explain`. */
  readonly samples: readonly string[]
  /** The first request, to say why; null for groups beyond those that anyone reads. */
  readonly example: Question | null
}

/** How many decision ids of a group are kept. */
const SAMPLES = 3
/** How many groups keep a whole request. */
const EXAMPLES = 200
/** Far more groups than anyone reads. Beyond, flips are still counted. */
const MAX_GROUPS = 50_000

/** What changes for one request. `before` and `after` are the rulings on the same Question. */
export function flips(
  question: Question,
  before: readonly Ruling[],
  after: readonly Ruling[],
): Flip[] {
  if (sameOutcome(before, after)) return []
  const now = new Map(after.map((ruling) => [ruling.action, ruling]))
  return before.flatMap((was) => {
    const ruling = now.get(was.action)
    if (ruling === undefined || permits(was) === permits(ruling)) return []
    return {
      direction: permits(ruling) ? 'gains' : 'loses',
      principal: entityText(question.actor.principal),
      audience: question.audience,
      action: was.action,
      result: ruling.result,
      policies: responsible(was, ruling),
    }
  })
}

function sameOutcome(before: readonly Ruling[], after: readonly Ruling[]): boolean {
  if (before.length !== after.length) return false
  return before.every((was, index) => {
    const is = after[index]
    return is !== undefined && was.action === is.action && permits(was) === permits(is)
  })
}

function permits({ result }: Ruling): boolean {
  return result === 'permitted'
}

function responsible(was: Ruling, is: Ruling): readonly string[] {
  if (is.policies.length > 0) return is.policies
  if (is.failing.length > 0) return is.failing
  return was.policies
}

/** Counts flips. */
export interface Tally {
  /** @param id the decision id; `at` ISO 8601, UTC */
  add(flip: Flip, question: Question, id: string, at: string): void
  /** Losses first, then by count. */
  groups(): readonly FlipGroup[]
  /** Flips by direction, those beyond the last group included. */
  total(direction: Direction): number
  /** Flips that found no room in a group. */
  readonly ungrouped: () => number
}

type Group = {
  readonly flip: Flip
  readonly example: Question | null
  readonly samples: string[]
  count: number
  first: string
  last: string
}

/** An empty tally. */
export function createTally(maxGroups: number = MAX_GROUPS): Tally {
  const groups = new Map<string, Group>()
  const totals: Record<Direction, number> = { loses: 0, gains: 0 }
  let ungrouped = 0
  return {
    add(flip, question, id, at) {
      totals[flip.direction] += 1
      const key = JSON.stringify([
        flip.direction,
        flip.principal,
        flip.audience,
        flip.action,
        flip.result,
        flip.policies,
      ])
      const group = groups.get(key)
      if (group === undefined) {
        if (groups.size >= maxGroups) ungrouped += 1
        else {
          const example = groups.size < EXAMPLES ? question : null
          groups.set(key, { flip, count: 1, first: at, last: at, samples: [id], example })
        }
        return
      }
      group.count += 1
      // Logs of several replicas may be put together in any order.
      if (at < group.first) group.first = at
      if (at > group.last) group.last = at
      if (group.samples.length < SAMPLES) group.samples.push(id)
    },
    groups: () =>
      [...groups.values()]
        .map(({ flip, ...rest }) => ({ ...flip, ...rest }))
        .sort(
          (a, b) =>
            Number(b.direction === 'loses') - Number(a.direction === 'loses') || b.count - a.count,
        ),
    total: (direction) => totals[direction],
    ungrouped: () => ungrouped,
  }
}
