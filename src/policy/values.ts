/** Texts that an attribute can never have: to Cedar `context.operation` is any string, to us one of three. */

import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { didYouMean } from '../suggest.ts'
import { field, pathOf } from './clauses.ts'
import { SENDERS } from './question.ts'
import { unquote } from './scan.ts'
import { OPERATIONS } from './schema.ts'
import type { Problem } from './settings.ts'
import { type Piece, problemAt } from './split.ts'

/** The texts of an attribute: a list, or a form with its description. */
type Vocabulary = readonly string[] | { readonly form: RegExp; readonly said: string }

const VOCABULARIES: Readonly<Record<string, Vocabulary>> = {
  'context.operation': OPERATIONS,
  'context.sender': SENDERS,
  'context.geo.continent': ['AF', 'AN', 'AS', 'EU', 'NA', 'OC', 'SA'],
  'context.geo.country': { form: /^[A-Z]{2}$/, said: 'two capital letters, such as "DE"' },
}

/** Reports comparisons with a text that the attribute never has, at the text. */
export function lintValues(piece: Piece, json: PolicyJson): Problem[] {
  return json.conditions
    .flatMap(({ body }) => compared(body))
    .flatMap(({ path, text }) => {
      const message = fault(path, text)
      if (message === null) return []
      const at = piece.tokens.find(
        (token, index) =>
          token.kind === 'string' &&
          unquote(token.text) === text &&
          piece.tokens[index - 1]?.text !== '::' &&
          piece.tokens[index - 3]?.text !== '@',
      )
      return [problemAt(piece, at?.start ?? 0, 'error', message)]
    })
}

function fault(path: string, text: string): string | null {
  const known = VOCABULARIES[path]
  if (!known) return null
  if ('form' in known) {
    return known.form.test(text)
      ? null
      : `${path} is never ${JSON.stringify(text)}: it is ${known.said}`
  }
  if (known.includes(text)) return null
  return `${path} is never ${JSON.stringify(text)}${didYouMean(text, known)}: it is one of ${known.join(', ')}`
}

type Compared = { readonly path: string; readonly text: string }

/** `path == "text"` either way round, and `["text", …].contains(path)`. */
function compared(node: unknown): Compared[] {
  if (typeof node !== 'object' || node === null) return []
  const found = Object.entries(node).flatMap(([operator, operand]): Compared[] => {
    if (operator !== '==' && operator !== '!=' && operator !== 'contains') return []
    const sides = [field(operand, 'left'), field(operand, 'right')]
    const path = sides.map(pathOf).find((each) => each !== null)
    return path ? sides.flatMap(texts).map((text) => ({ path, text })) : []
  })
  return [...found, ...Object.values(node).flatMap(compared)]
}

function texts(node: unknown): string[] {
  const value = field(node, 'Value')
  if (typeof value === 'string') return [value]
  const items = field(node, 'Set')
  return Array.isArray(items) ? items.flatMap(texts) : []
}
