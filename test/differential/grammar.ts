/**
 * Expressions of Cedar, generated with intent: every operator, mostly with operands of its type, now and then
 * with others, over attributes that are there on some requests only.
 */

import { literal, pattern, TYPES, type Type } from './literals.ts'
import type { Random } from './random.ts'

/** An expression: its text is made of the texts of its operands, so that it can be cut down piece by piece. */
export type Node = {
  readonly operator: string
  readonly type: Type
  readonly operands: readonly Node[]
  readonly render: (operands: readonly string[]) => string
}

/** The text of an expression. */
export function textOf(node: Node): string {
  return node.render(node.operands.map(textOf))
}

/** Every operator of an expression, with repetitions. */
export function operatorsOf(node: Node): string[] {
  return [node.operator, ...node.operands.flatMap(operatorsOf)]
}

/** How often an operand is of a type that its operator does not expect. */
const MISTYPED = 0.03

/** An operator: the types of its operands and its text. */
type Production = {
  readonly operator: string
  readonly takes: readonly Type[]
  readonly render: (operands: readonly string[]) => string
}

const SAME = TYPES.flatMap((type): Production[] =>
  ['==', '!='].map((operator) => infix(operator, type, type)),
)

function infix(operator: string, left: Type, right: Type): Production {
  return { operator, takes: [left, right], render: ([a, b]) => `(${a} ${operator} ${b})` }
}

function method(operator: string, of: Type, ...takes: Type[]): Production {
  return {
    operator,
    takes: [of, ...takes],
    render: ([receiver, ...rest]) => `(${receiver}).${operator}(${rest.join(', ')})`,
  }
}

function prefix(operator: string, text: string, type: Type): Production {
  return { operator, takes: [type], render: ([a]) => `(${text}(${a}))` }
}

function call(name: string): Production {
  return { operator: name, takes: ['String'], render: ([a]) => `${name}(${a})` }
}

const ORDERED: readonly Type[] = ['Long', 'Datetime', 'Duration']

/** What yields each type, besides literals, attributes, `if` and tags. */
const PRODUCTIONS: Readonly<Partial<Record<Type, readonly Production[]>>> = {
  Bool: [
    ...SAME,
    // Seen only where the result is not taken for a condition at once.
    {
      operator: '&&',
      takes: ['Bool', 'Long'],
      render: ([a, b]) => `((${a} && ${b}) == ${b})`,
    },
    {
      operator: '||',
      takes: ['Bool', 'Long'],
      render: ([a, b]) => `((${a} || ${b}) == ${b})`,
    },
    ...['<', '<=', '>', '>='].flatMap((op) => ORDERED.map((type) => infix(op, type, type))),
    ...['&&', '||', '&&', '||', '&&', '||', '&&', '||'].map((op) => infix(op, 'Bool', 'Bool')),
    prefix('!', '!', 'Bool'),
    prefix('!', '!', 'Bool'),
    infix('in', 'User', 'Team'),
    infix('in', 'User', 'User'),
    infix('in', 'User', 'Users'),
    {
      operator: 'in',
      takes: ['User', 'Team', 'User'],
      render: ([a, b, c]) => `(${a} in [${b}, ${c}])`,
    },
    method('contains', 'Longs', 'Long'),
    method('contains', 'Strings', 'String'),
    method('contains', 'Users', 'User'),
    method('containsAll', 'Longs', 'Longs'),
    method('containsAll', 'Strings', 'Strings'),
    method('containsAny', 'Longs', 'Longs'),
    method('containsAny', 'Users', 'Users'),
    method('isEmpty', 'Longs'),
    method('isEmpty', 'Strings'),
    method('hasTag', 'User', 'String'),
    method('isIpv4', 'Ip'),
    method('isIpv6', 'Ip'),
    method('isLoopback', 'Ip'),
    method('isMulticast', 'Ip'),
    ...Array<Production>(5).fill(method('isInRange', 'Ip', 'Ip')),
    ...['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual'].map((name) =>
      method(name, 'Decimal', 'Decimal'),
    ),
  ],
  Long: [
    ...['+', '-', '*'].map((op) => infix(op, 'Long', 'Long')),
    prefix('neg', '-', 'Long'),
    ...['toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays'].map((name) =>
      method(name, 'Duration'),
    ),
  ],
  Ip: [call('ip')],
  Decimal: [call('decimal')],
  Datetime: [
    call('datetime'),
    method('offset', 'Datetime', 'Duration'),
    method('toDate', 'Datetime'),
  ],
  Duration: [
    call('duration'),
    method('toTime', 'Datetime'),
    method('durationSince', 'Datetime', 'Datetime'),
  ],
  Longs: [{ operator: 'Set', takes: ['Long', 'Long'], render: ([a, b]) => `[${a}, ${b}]` }],
  Strings: [{ operator: 'Set', takes: ['String'], render: ([a]) => `[${a}]` }],
  Users: [{ operator: 'Set', takes: ['User', 'User'], render: ([a, b]) => `[${a}, ${b}]` }],
  Record: [
    {
      operator: 'Record',
      takes: ['String', 'Long'],
      render: ([a, b]) => `{city: ${a}, zip: ${b}}`,
    },
    { operator: 'Record', takes: ['Long'], render: ([a]) => `{"zip": ${a}}` },
  ],
}

/** Names of attributes by their type: entities and contexts have them, or some of them. */
export const ATTRIBUTES: Readonly<Record<Type, string>> = {
  Bool: 'active',
  Long: 'level',
  String: 'name',
  User: 'manager',
  Team: 'team',
  Ip: 'address',
  Decimal: 'score',
  Datetime: 'joined',
  Duration: 'quota',
  Longs: 'numbers',
  Strings: 'labels',
  Users: 'friends',
  Record: 'profile',
}

/** Tags by their name. */
export const TAGS: Readonly<Record<string, Type>> = { a: 'Long', b: 'String', name: 'Strings' }

/** An expression of a type. */
export function expression(type: Type, depth: number, by: Random): Node {
  if (by.chance(MISTYPED)) return expression(by.pick(TYPES), depth, by)
  if (depth <= 0 || by.chance(0.1)) return leaf(type, by)
  if (type === 'Bool' && by.chance(0.2)) return peculiar(depth, by)
  if (by.chance(0.07)) return conditional(type, depth, by)
  if (by.chance(0.1)) return access(type, depth, by)
  const productions = PRODUCTIONS[type]
  return productions ? produce(by.pick(productions), type, depth, by) : leaf(type, by)
}

function produce(
  { operator, takes, render }: Production,
  type: Type,
  depth: number,
  by: Random,
): Node {
  return { operator, type, render, operands: takes.map((each) => expression(each, depth - 1, by)) }
}

function leaf(type: Type, by: Random): Node {
  if (by.chance(0.4)) return fixed(literalName(type), type, literal(type, by))
  const name = ATTRIBUTES[type]
  if (type === 'User' && by.chance(0.7))
    return fixed('Var', type, by.pick(['principal', 'resource']))
  if (type === 'Record' && by.chance(0.1)) return fixed('Var', type, 'context')
  if (type === 'Team' && by.chance(0.1)) return fixed('Var', type, 'action')
  return fixed('.', type, `${by.pick(['context', 'context', 'principal', 'resource'])}.${name}`)
}

function literalName(type: Type): string {
  return ['Ip', 'Decimal', 'Datetime', 'Duration'].includes(type) ? type.toLowerCase() : 'literal'
}

function fixed(operator: string, type: Type, text: string): Node {
  return { operator, type, operands: [], render: () => text }
}

function conditional(type: Type, depth: number, by: Random): Node {
  return {
    operator: 'if-then-else',
    type,
    operands: [
      expression('Bool', depth - 1, by),
      expression(type, depth - 1, by),
      expression(type, depth - 1, by),
    ],
    render: ([test, then, other]) => `(if ${test} then ${then} else ${other})`,
  }
}

/** `.` on something that is computed, or a tag. */
function access(type: Type, depth: number, by: Random): Node {
  const tag = Object.entries(TAGS).find(([, of]) => of === type)?.[0]
  if (tag !== undefined && by.chance(0.6)) {
    const operands = [expression('User', depth - 1, by)]
    return { operator: 'getTag', type, operands, render: ([of]) => `(${of}).getTag("${tag}")` }
  }
  const inner = type === 'String' ? 'city' : type === 'Long' ? 'zip' : null
  const profile = inner !== null && by.chance(0.5)
  const operands = [expression(profile ? 'Record' : 'User', depth - 1, by)]
  const name = profile ? inner : ATTRIBUTES[type]
  const bracket = by.chance(0.3)
  return {
    operator: '.',
    type,
    operands,
    render: ([of]) => (bracket ? `(${of})["${name}"]` : `(${of}).${name}`),
  }
}

/** `has`, `like` and `is`: what takes something that is no expression. */
function peculiar(depth: number, by: Random): Node {
  const kind = by.below(4)
  if (kind === 0) {
    const matched = pattern(by)
    const operands = [expression('String', depth - 1, by)]
    return { operator: 'like', type: 'Bool', operands, render: ([a]) => `((${a}) like ${matched})` }
  }
  if (kind === 1) {
    const name = by.pick(['User', 'Team', 'Org'])
    const within = by.chance(0.4) ? [expression(by.pick(['Team', 'Users']), depth - 1, by)] : []
    return {
      operator: within.length > 0 ? 'is in' : 'is',
      type: 'Bool',
      operands: [expression(by.pick(['User', 'Team']), depth - 1, by), ...within],
      render: ([a, b]) => `(${a} is ${name}${b === undefined ? '' : ` in ${b}`})`,
    }
  }
  if (kind === 2) return guarded(depth, by)
  const path = by.pick([
    'profile',
    'profile.city',
    'profile.none.x',
    'manager.level',
    'level',
    'city',
    '"zip"',
    'none',
  ])
  const operands = [expression(by.pick(['User', 'Record']), depth - 1, by)]
  return { operator: 'has', type: 'Bool', operands, render: ([a]) => `((${a}) has ${path})` }
}

/** `context has x && …context.x…`, as people write it. */
function guarded(depth: number, by: Random): Node {
  const type = by.pick(TYPES)
  const root = by.pick(['context', 'principal', 'resource'])
  const name = ATTRIBUTES[type]
  const value = fixed('.', type, `${root}.${name}`)
  const operands = [value, expression(type, depth - 1, by)]
  return {
    operator: 'has',
    type: 'Bool',
    operands,
    render: ([a, b]) => `(${root} has ${name} && ${a} == ${b})`,
  }
}
