/**
 * Compiles Cedar's JSON form into closures, once, at load. What it does not know, wherever in a policy it
 * stands, refuses the whole policy: nothing is skipped.
 */

import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { Request } from './entities.ts'
import { EvaluationError, Unsupported } from './failure.ts'
import { type Evaluator, OPERATORS, type Operators } from './operators.ts'
import { matcher, type PatternElement } from './pattern.ts'
import { mistyped, Uid, type Value } from './value.ts'

/** Whether a part of a policy holds. @throws EvaluationError where that cannot be said */
export type Condition = (request: Request) => boolean

/** One condition of a policy. */
export type Part = {
  readonly holds: Condition
  /** Its JSON form: equal texts hold alike. */
  readonly text: string
  /** Whether it may differ between the actions of one request. */
  readonly readsAction: boolean
}

/** A compiled policy. It applies where all of its parts hold, asked in this order: first the head's. */
export type Program = { readonly head: readonly Part[]; readonly conditions: readonly Part[] }

/** How deep expressions may nest: a stack holds many times as many of our frames. */
const MAX_DEPTH = 200

/**
 * Compiles a policy: a line of its head is a condition like any other.
 *
 * @param operators another table, for tests that break an operator
 * @throws Unsupported where anything in the policy is unknown, or it nests too deeply
 */
export function compilePolicy(policy: PolicyJson, operators: Operators = OPERATORS): Program {
  const head = [
    ...constraint('principal', policy.principal),
    ...constraint('action', policy.action),
    ...constraint('resource', policy.resource),
  ]
  const conditions = policy.conditions.flatMap(({ kind, body }): unknown[] =>
    kind === 'when' ? conjunction(body) : [{ '!': { arg: body } }],
  )
  const compiled = (expressions: readonly unknown[]) =>
    expressions.map((expression) => part(expression, operators))
  return { head: compiled(head), conditions: compiled(conditions) }
}

/** `a && b && c` has to hold in its parts, one after the other, each of them a boolean. */
function conjunction(body: unknown): unknown[] {
  const parts: unknown[] = []
  let rest = body
  while (isNode(rest) && isNode(rest['&&'])) {
    parts.unshift(rest['&&']['right'])
    rest = rest['&&']['left']
  }
  return [rest, ...parts]
}

function part(expression: unknown, operators: Operators): Part {
  const run = compileExpression(expression, operators)
  const text = JSON.stringify(expression)
  return {
    holds: (request) => {
      const value = run(request)
      if (typeof value === 'boolean') return value
      throw mistyped('a bool', value)
    },
    text,
    readsAction: text.includes('{"Var":"action"}'),
  }
}

/**
 * Compiles one expression.
 *
 * @throws Unsupported as `compilePolicy` does
 */
export function compileExpression(node: unknown, operators: Operators = OPERATORS): Evaluator {
  return expression(node, operators, 0).run
}

/** A line of a head as an expression: `principal == E`, `action in [E, F]`, `resource is T in E`. */
function constraint(name: string, json: unknown): unknown[] {
  const { op, entity, entities, entity_type, in: within } = fields(json)
  const subject = { Var: name }
  if (op === 'All') return []
  if (op === 'is') return [{ is: { left: subject, entity_type, ...inside(within) } }]
  if (op !== '==' && op !== 'in') throw new Unsupported(`the constraint ${String(op)}`)
  if (Array.isArray(entities))
    return [{ in: { left: subject, right: { Set: entities.map(literal) } } }]
  return [{ [op]: { left: subject, right: literal(entity) } }]
}

function inside(within: unknown): object {
  return within === undefined ? {} : { in: literal(fields(within)['entity']) }
}

/** An entity of a head: the JSON form writes it with and without `__entity`. */
function literal(entity: unknown): object {
  if (entity === undefined) throw new Unsupported('a template, which has slots')
  return { Value: '__entity' in fields(entity) ? entity : { __entity: entity } }
}

/** A compiled expression; `constant` where it is the same for every request. */
type Code = { readonly run: Evaluator; readonly constant?: Value }

type Compile = (node: unknown) => Code

function expression(node: unknown, operators: Operators, depth: number): Code {
  if (depth > MAX_DEPTH) throw new Unsupported(`expressions that nest more than ${MAX_DEPTH} deep`)
  const [name, body, more] = Object.entries(fields(node)).flat()
  if (typeof name !== 'string' || more !== undefined)
    throw new Unsupported('an expression of no known form')
  if (name === 'Value') return constant(literalValue(body))
  if (name === 'Var') return { run: variable(body) }
  const inner: Compile = (operand) => expression(operand, operators, depth + 1)
  if (Object.hasOwn(operators.special, name)) return special(name, body, operators, inner)

  const operands = operandsOf(body).map(inner)
  const [first, second] = operands
  const unary = Object.hasOwn(operators.unary, name) && operators.unary[name]
  const binary = Object.hasOwn(operators.binary, name) && operators.binary[name]
  if (unary && first && operands.length === 1) return folded(unary(first.run), operands)
  if (binary && first && second && operands.length === 2) {
    const run = binary(first.run, second.run, second.constant)
    return STORED.has(name) ? { run } : folded(run, operands)
  }
  const known = unary || binary
  throw new Unsupported(known ? `${name} with ${operands.length} operands` : `the operator ${name}`)
}

/** Operators that ask what is known about an entity: between constants they are still not constant. */
const STORED: ReadonlySet<string> = new Set(['in', 'hasTag', 'getTag'])

/** Operators stand before an object, functions and methods before a list. */
function operandsOf(body: unknown): unknown[] {
  if (Array.isArray(body)) return body
  const { arg, left, right } = fields(body)
  return arg === undefined ? [left, right] : [arg]
}

function special(
  name: string,
  body: unknown,
  { special, binary }: Operators,
  inner: Compile,
): Code {
  if (name === 'Set') {
    if (!Array.isArray(body)) throw new Unsupported('a set of no known form')
    const elements = body.map(inner)
    return folded(special.Set(elements.map(({ run }) => run)), elements)
  }
  const parts = fields(body)
  if (name === 'Record') {
    const entries = Object.entries(parts).map(([key, field]) => [key, inner(field)] as const)
    const run = special.Record(entries.map(([key, { run }]) => [key, run]))
    return folded(
      run,
      entries.map(([, code]) => code),
    )
  }
  if (name === 'if-then-else') {
    const [test, then, other] = [parts['if'], parts['then'], parts['else']].map(inner)
    if (!test || !then || !other) throw new Unsupported('an if without its parts')
    return { run: special['if-then-else'](test.run, then.run, other.run) }
  }
  if (name === '.') return access(parts, special, inner)
  const left = inner(parts['left']).run
  if (name === 'has') return { run: special.has(left, [parts['attr']].flat().map(text)) }
  if (name === 'like') return { run: special.like(left, matcher(elementsOf(parts['pattern']))) }
  if (name !== 'is') throw new Unsupported(`the operator ${name}`)
  const is = special.is(left, text(parts['entity_type']))
  if (parts['in'] === undefined) return { run: is }
  // `e is T in c` is `e is T && e in c`: of another type, `c` is not looked at.
  const [both, within] = [binary['&&'], binary['in']]
  if (!both || !within) throw new Unsupported('is … in')
  return { run: both(is, within(left, inner(parts['in']).run)) }
}

/** `a.b.c` in one step. */
function access(of: Node, operators: Operators['special'], inner: Compile): Code {
  const path = [text(of['attr'])]
  let left = of['left']
  while (isNode(left) && isNode(left['.'])) {
    path.unshift(text(left['.']['attr']))
    left = left['.']['left']
  }
  return { run: operators['.'](inner(left).run, path) }
}

function elementsOf(pattern: unknown): PatternElement[] {
  if (!Array.isArray(pattern)) throw new Unsupported('a pattern of no known form')
  return pattern.map((element) =>
    element === 'Wildcard' ? element : { Literal: text(fields(element)['Literal']) },
  )
}

const VARIABLES: Readonly<Record<string, Evaluator>> = {
  principal: (request) => request.principal,
  action: (request) => request.action,
  resource: (request) => request.resource,
  context: (request) => request.context,
}

function variable(name: unknown): Evaluator {
  const run = typeof name === 'string' && Object.hasOwn(VARIABLES, name) && VARIABLES[name]
  if (!run) throw new Unsupported(`the variable ${String(name)}`)
  return run
}

function literalValue(json: unknown): Value {
  if (typeof json === 'boolean' || typeof json === 'string') return json
  if (typeof json === 'number') {
    // JSON numbers cannot carry greater ones; parse.ts writes them as sums beforehand.
    if (!Number.isSafeInteger(json)) throw new Unsupported(`the number ${json}, which is not exact`)
    return json
  }
  const { __entity } = fields(json)
  const { type, id } = fields(__entity)
  return new Uid(text(type), text(id))
}

function constant(value: Value): Code {
  return { run: () => value, constant: value }
}

/** Evaluates at load what cannot differ between requests: sets, `ip("…")`, `duration("…")`. */
function folded(run: Evaluator, operands: readonly Code[]): Code {
  if (operands.some((operand) => operand.constant === undefined)) return { run }
  try {
    return constant(run(NOTHING))
  } catch (error) {
    // It fails on every request that gets there, and on no other.
    if (error instanceof EvaluationError) return { run }
    throw error
  }
}

/** What constants are evaluated on: they do not look. */
const NOTHING: Request = {
  principal: new Uid('', ''),
  action: new Uid('', ''),
  resource: new Uid('', ''),
  context: new Map(),
  entities: new Map(),
}

/** A node of the JSON form. */
type Node = Readonly<Record<string, unknown>>

function fields(json: unknown): Node {
  if (!isNode(json)) throw new Unsupported('a policy of no known form')
  return json
}

function isNode(json: unknown): json is Node {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function text(json: unknown): string {
  if (typeof json !== 'string') throw new Unsupported('a name of no known form')
  return json
}
