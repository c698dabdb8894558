/**
 * Every operator of Cedar, as a function from the evaluators of its operands to its own. Tables, so that the
 * compiler knows no operator by name, and so that a test can break one at a time.
 */

import { decimal, unitsOf } from './decimal.ts'
import { attribute, hasPath, hasTag, isIn, type Request, tagOf } from './entities.ts'
import { asIp, ip, isInRange, isLoopback, isMulticast } from './ip.ts'
import { add, type Long, multiply, negate, quotient, subtract } from './long.ts'
import type { Matcher } from './pattern.ts'
import { datetime, duration, instantOf, lengthOf, toDate, toTime, UNITS } from './time.ts'
import {
  asBoolean,
  asLong,
  asSet,
  asString,
  asUid,
  Datetime,
  Duration,
  equals,
  mistyped,
  type Value,
  ValueSet,
} from './value.ts'

/** The value of an expression on a request. @throws EvaluationError where it has none */
export type Evaluator = (request: Request) => Value

type Unary = (argument: Evaluator) => Evaluator
/** Where the right side is the same for every request, `constant` is its value: one call less. */
type Binary = (left: Evaluator, right: Evaluator, constant?: Value) => Evaluator

/** The operators by how many expressions they take, and those that also take a name or a pattern. */
export type Operators = {
  readonly unary: Readonly<Record<string, Unary>>
  readonly binary: Readonly<Record<string, Binary>>
  readonly special: {
    readonly 'if-then-else': (test: Evaluator, then: Evaluator, other: Evaluator) => Evaluator
    readonly '.': (of: Evaluator, path: readonly string[]) => Evaluator
    readonly has: (of: Evaluator, path: readonly string[]) => Evaluator
    readonly like: (text: Evaluator, matches: Matcher) => Evaluator
    readonly is: (entity: Evaluator, type: string) => Evaluator
    readonly Set: (elements: readonly Evaluator[]) => Evaluator
    readonly Record: (fields: readonly (readonly [name: string, field: Evaluator])[]) => Evaluator
  }
}

/** A function of one value, errors of its operand passed on. */
function unary(apply: (value: Value) => Value): Unary {
  return (argument) => (request) => apply(argument(request))
}

/** A function of two values. The left is evaluated first; where both fail, one failure is as good. */
function binary(apply: (left: Value, right: Value) => Value): Binary {
  return (left, right, constant) =>
    constant === undefined
      ? (request) => apply(left(request), right(request))
      : (request) => apply(left(request), constant)
}

function arithmetic(apply: (left: Long, right: Long) => Long): Binary {
  return binary((left, right) => apply(asLong(left), asLong(right)))
}

/** `<` and the like: between two Longs, two datetimes or two durations, never between unlike ones. */
function order(compare: (left: Long, right: Long) => boolean): Binary {
  return binary((left, right) => {
    if (left instanceof Datetime) return compare(left.milliseconds, instantOf(right))
    if (left instanceof Duration) return compare(left.milliseconds, lengthOf(right))
    if (typeof left !== 'number' && typeof left !== 'bigint')
      throw mistyped('something ordered', left)
    return compare(left, asLong(right))
  })
}

function decimals(compare: (left: Long, right: Long) => boolean): Binary {
  return binary((left, right) => compare(unitsOf(left), unitsOf(right)))
}

function told(unit: keyof typeof UNITS): Unary {
  return unary((value) => quotient(lengthOf(value), UNITS[unit]))
}

const UNARY: Operators['unary'] = {
  '!': unary((value) => !asBoolean(value)),
  neg: unary((value) => negate(asLong(value))),
  isEmpty: unary((value) => asSet(value).elements.length === 0),
  ip: unary((value) => ip(asString(value))),
  isIpv4: unary((value) => asIp(value).version === 4),
  isIpv6: unary((value) => asIp(value).version === 6),
  isLoopback: unary((value) => isLoopback(asIp(value))),
  isMulticast: unary((value) => isMulticast(asIp(value))),
  decimal: unary((value) => decimal(asString(value))),
  datetime: unary((value) => datetime(asString(value))),
  toDate: unary((value) => toDate(instantOf(value))),
  toTime: unary((value) => toTime(instantOf(value))),
  duration: unary((value) => duration(asString(value))),
  toMilliseconds: told('Milliseconds'),
  toSeconds: told('Seconds'),
  toMinutes: told('Minutes'),
  toHours: told('Hours'),
  toDays: told('Days'),
}

const BINARY: Operators['binary'] = {
  // What stands right of a left side that decides is not evaluated, so it cannot fail.
  '&&': (left, right) => (request) => asBoolean(left(request)) && asBoolean(right(request)),
  '||': (left, right) => (request) => asBoolean(left(request)) || asBoolean(right(request)),
  '==': binary(equals),
  '!=': binary((left, right) => !equals(left, right)),
  '<': order((left, right) => left < right),
  '<=': order((left, right) => left <= right),
  '>': order((left, right) => left > right),
  '>=': order((left, right) => left >= right),
  '+': arithmetic(add),
  '-': arithmetic(subtract),
  '*': arithmetic(multiply),
  in: (left, right) => (request) => isIn(left(request), right(request), request.entities),
  contains: binary((left, right) => asSet(left).has(right)),
  containsAll: binary((left, right) => asSet(left).hasAll(asSet(right))),
  containsAny: binary((left, right) => asSet(left).hasAny(asSet(right))),
  hasTag: (left, right) => (request) => hasTag(left(request), right(request), request.entities),
  getTag: (left, right) => (request) => tagOf(left(request), right(request), request.entities),
  isInRange: binary((left, right) => isInRange(asIp(left), asIp(right))),
  lessThan: decimals((left, right) => left < right),
  lessThanOrEqual: decimals((left, right) => left <= right),
  greaterThan: decimals((left, right) => left > right),
  greaterThanOrEqual: decimals((left, right) => left >= right),
  offset: binary((left, right) => new Datetime(add(instantOf(left), lengthOf(right)))),
  durationSince: binary((left, right) => new Duration(subtract(instantOf(left), instantOf(right)))),
}

const SPECIAL: Operators['special'] = {
  'if-then-else': (test, then, other) => (request) =>
    asBoolean(test(request)) ? then(request) : other(request),
  '.': (of, path) => (request) => attribute(of(request), path, request.entities),
  has: (of, path) => (request) => hasPath(of(request), path, request.entities),
  like: (text, matches) => (request) => matches(asString(text(request))),
  is: (entity, type) => (request) => asUid(entity(request)).type === type,
  Set: (elements) => (request) => new ValueSet(elements.map((element) => element(request))),
  Record: (fields) => (request) => new Map(fields.map(([name, field]) => [name, field(request)])),
}

/** Cedar's operators and extension functions (4.x). What is not here is refused at load. */
export const OPERATORS: Operators = { unary: UNARY, binary: BINARY, special: SPECIAL }
