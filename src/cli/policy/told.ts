/** Parts of an explanation. */

import { decide } from '../../policy/decide.ts'
import { explain } from '../../policy/explain.ts'
import type { Generation } from '../../policy/generation.ts'
import type { Question } from '../../policy/question.ts'

/** The lines about one action. */
export function about(action: string, lines: readonly string[]): readonly string[] {
  const from = lines.findIndex((line) => line.startsWith(`${action}: `))
  if (from === -1) return []
  const next = lines.findIndex((line, index) => index > from && !line.startsWith(' '))
  return lines.slice(from, next === -1 ? undefined : next)
}

/** Why a generation decides one action as it does: what led to it, or what the nearest permit lacks. */
export function why(question: Question, action: string, generation: Generation): readonly string[] {
  const { lines } = explain(question, decide(question, generation), generation)
  const [, ...rest] = about(action, lines)
  const next = rest.findIndex((line) => line.startsWith('  then: '))
  return rest.slice(0, next === -1 ? undefined : next).map((line) => line.slice(2))
}
