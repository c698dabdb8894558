/** The problems of a whole set: those of each policy, and those that only show between policies. */

import type { Entry } from './entry.ts'
import { effectToken } from './lint.ts'
import { type Outline, overlaps } from './overlap.ts'
import type { PolicySettings, Problem } from './settings.ts'
import { problemAt } from './split.ts'
import { giveWay } from './turns.ts'

/**
 * Every problem of a set in reading order, one a place and severity.
 *
 * @param at the instant against which `@expires` is held, epoch seconds; null calls nothing expired
 */
export async function findings(
  entries: readonly Entry[],
  settings: PolicySettings,
  at: number | null,
): Promise<Problem[]> {
  const own = entries.flatMap(({ problems }) => problems)
  const errors = [...own, ...repeatedIds(entries)]
  // What overlaps in a set with errors may not do so once they are mended.
  if (errors.some(({ severity }) => severity === 'error')) return tidy(errors)
  await giveWay()
  return tidy([...errors, ...expired(entries, at), ...(await overlapping(entries, settings))])
}

/** Every id that an earlier policy has taken: the audit log must name one policy. */
function repeatedIds(entries: readonly Entry[]): Problem[] {
  const first = new Map<string, Entry>()
  return entries.flatMap((entry) => {
    const { piece, annotations } = entry
    const id = annotations.find(({ name }) => name === 'id')
    if (id?.value == null) return []
    const earlier = first.get(id.value)
    if (earlier === undefined) {
      first.set(id.value, entry)
      return []
    }
    const message = `the id ${JSON.stringify(id.value)} is already taken at ${place(earlier)}`
    return [problemAt(piece, id.valueToken?.start ?? 0, 'error', message)]
  })
}

function place({ piece, annotations }: Entry): string {
  const id = annotations.find(({ name }) => name === 'id')
  return `${piece.path}:${piece.place(id?.valueToken?.start ?? 0).line}`
}

function expired(entries: readonly Entry[], at: number | null): Problem[] {
  return entries.flatMap(({ piece, annotations, outline }) => {
    if (at === null || !outline || outline.expires === null || outline.expires > at) return []
    const token = annotations.find(({ name }) => name === 'expires')?.valueToken
    const message = 'this policy has expired and no longer has any effect: remove it'
    return [problemAt(piece, token?.start ?? 0, 'warning', message)]
  })
}

async function overlapping(
  entries: readonly Entry[],
  settings: PolicySettings,
): Promise<Problem[]> {
  const outlines = entries.flatMap(({ outline }) => outline ?? [])
  const found = await overlaps(outlines, settings)
  return found.map(({ policy, by }) => {
    const start = effectToken(policy.piece)?.start ?? 0
    return problemAt(policy.piece, start, 'warning', overlapMessage(policy, by))
  })
}

function overlapMessage(policy: Outline, { id, at, head }: Outline): string {
  return policy.head.effect === head.effect
    ? `this ${head.effect} adds nothing to ${id} (${at}), which holds wherever it does`
    : `this permit never has any effect: the forbid ${id} (${at}) holds wherever it does`
}

/** In reading order, one problem a place and severity: Cedar repeats an error for each action, in any order. */
function tidy(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>()
  return problems.toSorted(inReadingOrder).filter(({ path, line, column, severity, message }) => {
    const kind = message.replace(/Action::"[^"]*"/g, '')
    const key = JSON.stringify([path, line, column, severity, kind])
    return !seen.has(key) && seen.add(key)
  })
}

function inReadingOrder(a: Problem, b: Problem): number {
  const texts = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0)
  return (
    texts(a.path, b.path) || a.line - b.line || a.column - b.column || texts(a.message, b.message)
  )
}
