/**
 * Takes the conditions of a policy apart, in the author's own words: each part that has to hold by itself,
 * with its place, the attributes it reads, and its expression. For explanations only; decisions never come
 * here.
 */

import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'

import { nesting, type Token, unquote } from './scan.ts'
import type { Piece } from './split.ts'

/** One part of a policy's conditions. */
export type Conjunct = {
  /** The source, on one line: `context.now["Europe/Berlin"].timeOfDay >= duration("7h")`. */
  readonly source: string
  /** Whether it must be false, because it stands in an `unless`. */
  readonly negated: boolean
  /** Offset into the policy's text. */
  readonly start: number
  /** Attributes it reads, such as `['context', 'now', 'Europe/Berlin', 'timeOfDay']`. */
  readonly paths: readonly (readonly string[])[]
  /** The same part in Cedar's JSON form. */
  readonly expression: unknown
}

/**
 * Every `&&`-part of every `when` and every `||`-part of every `unless`, in order.
 *
 * @param conditions those of the same policy
 */
export function conjuncts(piece: Piece, conditions: PolicyJson['conditions']): Conjunct[] {
  return clauses(piece.tokens).flatMap(({ negated, body }, clause) => {
    const operator = negated ? '||' : '&&'
    const texts = parts(body, operator)
    const expressions = sides(conditions[clause]?.body, operator, texts.length)
    return texts.flatMap((tokens, index) => {
      const first = tokens[0]
      if (!first) return []
      const [source, paths] = [oneLine(tokens), pathsOf(tokens)]
      return { source, negated, start: first.start, paths, expression: expressions[index] }
    })
  })
}

/** The `count` outermost sides of a chain: `a && b && c` is `(a && b) && c` in the JSON form. */
function sides(chain: unknown, operator: '&&' | '||', count: number): unknown[] {
  const found: unknown[] = []
  let rest = chain
  while (found.length < count - 1) {
    const both = field(rest, operator)
    found.unshift(field(both, 'right'))
    rest = field(both, 'left')
  }
  return [rest, ...found]
}

function field(node: unknown, name: string): unknown {
  if (typeof node !== 'object' || node === null) return undefined
  return Object.hasOwn(node, name) ? Reflect.get(node, name) : undefined
}

type Clause = { readonly negated: boolean; readonly body: readonly Token[] }

/** The bodies of `when { … }` and `unless { … }`. */
function clauses(tokens: readonly Token[]): Clause[] {
  const found: Clause[] = []
  let depth = 0
  let open = -1
  for (const [index, token] of tokens.entries()) {
    const step = nesting(token)
    const keyword = tokens[index - 1]?.text
    if (step === 1 && depth === 0 && (keyword === 'when' || keyword === 'unless')) open = index
    depth += step
    if (step !== -1 || depth !== 0 || open === -1) continue
    found.push({
      negated: tokens[open - 1]?.text === 'unless',
      body: tokens.slice(open + 1, index),
    })
    open = -1
  }
  return found
}

/**
 * Splits at an operator outside brackets. `||` and `if` bind more loosely than `&&`: where one stands
 * outside brackets, the whole is one part.
 */
function parts(body: readonly Token[], operator: '&&' | '||'): Token[][] {
  const whole: Token[][] = [[...body]]
  const split: Token[][] = [[]]
  let depth = 0
  for (const token of body) {
    depth += nesting(token)
    if (depth === 0 && token.text === 'if') return whole
    if (depth === 0 && operator === '&&' && token.text === '||') return whole
    if (depth === 0 && token.text === operator) split.push([])
    else split.at(-1)?.push(token)
  }
  return split
}

/** Paths below `principal` and `context`; the name of a method that is called ends one. */
function pathsOf(tokens: readonly Token[]): string[][] {
  const found = new Map<string, string[]>()
  for (const [index, { kind, text }] of tokens.entries()) {
    const root = kind === 'word' && (text === 'principal' || text === 'context')
    if (!root || tokens[index - 1]?.text === '.') continue
    const path = [text, ...steps(tokens, index + 1)]
    found.set(JSON.stringify(path), path)
  }
  return [...found.values()]
}

function steps(tokens: readonly Token[], from: number): string[] {
  const path: string[] = []
  let at = from
  for (;;) {
    const [mark, name, close] = [tokens[at], tokens[at + 1], tokens[at + 2]]
    if (mark?.text === '.' && name?.kind === 'word' && close?.text !== '(') {
      path.push(name.text)
      at += 2
    } else if (mark?.text === '[' && name?.kind === 'string' && close?.text === ']') {
      path.push(unquote(name.text))
      at += 3
    } else if (mark?.text === 'has' && name && path.length === 0) {
      // `context has sourceIp`: what is missing is what matters.
      path.push(unquote(name.text))
      at += 2
    } else return path
  }
}

/** Comments go, and whatever stood between two tokens becomes one space. */
function oneLine(tokens: readonly Token[]): string {
  return tokens
    .map((token, index) => {
      const gap = token.start > (tokens[index - 1]?.end ?? token.start)
      return gap ? ` ${token.text}` : token.text
    })
    .join('')
}
