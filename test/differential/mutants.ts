/**
 * `node test/differential/mutants.ts`: breaks every operator of our evaluator in turn, and shows that a small
 * differential run notices. Each is broken twice, its result changed and its failures swallowed; then come
 * mistakes that somebody could really make.
 */

import { EvaluationError } from '../../src/policy/eval/failure.ts'
import type { Evaluator, Operators } from '../../src/policy/eval/operators.ts'
import { OPERATORS } from '../../src/policy/eval/operators.ts'
import {
  asBoolean,
  asLong,
  asSet,
  asString,
  asUid,
  Datetime,
  Decimal,
  Duration,
  equals,
  Ip,
  Uid,
  type Value,
  ValueSet,
} from '../../src/policy/eval/value.ts'
import { type Case, generate, ours } from './cases.ts'
import { random } from './random.ts'

const SEED = 20261121
const SETS = 96

type Mutant = { readonly name: string; readonly operators: Operators }

/** An operator with every evaluator that it makes wrapped. */
type Wrap = (run: Evaluator) => Evaluator

const CHANGED: Wrap = (run) => (request) => changed(run(request))

const SWALLOWED: Wrap = (run) => (request) => {
  try {
    return run(request)
  } catch (error) {
    if (error instanceof EvaluationError) return false
    throw error
  }
}

/** Another value of the same type. */
function changed(value: Value): Value {
  if (typeof value === 'boolean') return !value
  if (typeof value === 'string') return `${value}!`
  if (typeof value !== 'object') return value === 7 ? 8 : 7
  if (value instanceof Uid) return new Uid(value.type, `${value.id}!`)
  if (value instanceof ValueSet) return new ValueSet([...value.elements, 'one more'])
  if (value instanceof Map) return new Map([...value, ['one more', true]])
  if (value instanceof Ip) return new Ip(value.version, value.words, value.prefix === 3 ? 4 : 3)
  if (value instanceof Decimal) return new Decimal(value.units === 7 ? 8 : 7)
  if (value instanceof Datetime) return new Datetime(value.milliseconds === 7 ? 8 : 7)
  return new Duration(value.milliseconds === 7 ? 8 : 7)
}

function wrapped(kind: string, wrap: Wrap): Mutant[] {
  const { unary, binary, special } = OPERATORS
  return [
    ...Object.entries(unary).map(([name, make]) => ({
      name: `${name} ${kind}`,
      operators: { ...OPERATORS, unary: { ...unary, [name]: (a: Evaluator) => wrap(make(a)) } },
    })),
    ...Object.entries(binary).map(([name, make]) => ({
      name: `${name} ${kind}`,
      operators: {
        ...OPERATORS,
        binary: { ...binary, [name]: (a: Evaluator, b: Evaluator) => wrap(make(a, b)) },
      },
    })),
    ...specials(special, wrap).map(([name, changes]) => ({
      name: `${name} ${kind}`,
      operators: { ...OPERATORS, special: { ...special, ...changes } },
    })),
  ]
}

type Special = Operators['special']

function specials(make: Special, wrap: Wrap): [string, Partial<Special>][] {
  return [
    ['if-then-else', { 'if-then-else': (a, b, c) => wrap(make['if-then-else'](a, b, c)) }],
    ['.', { '.': (of, path) => wrap(make['.'](of, path)) }],
    ['has', { has: (of, path) => wrap(make.has(of, path)) }],
    ['like', { like: (text, matches) => wrap(make.like(text, matches)) }],
    ['is', { is: (entity, type) => wrap(make.is(entity, type)) }],
    ['Set', { Set: (elements) => wrap(make.Set(elements)) }],
    ['Record', { Record: (fields) => wrap(make.Record(fields)) }],
  ]
}

type Binary = Operators['binary'][string]

const two =
  (apply: (left: Value, right: Value) => Value): Binary =>
  (left, right) =>
  (request) =>
    apply(left(request), right(request))

/** Another operator's meaning, or one that is nearly right. */
const NEARLY: Readonly<Record<string, Partial<Operators['binary']>>> = {
  '< is <=': swap('<', '<='),
  '<= is <': swap('<=', '<'),
  '> is >=': swap('>', '>='),
  '>= is >': swap('>=', '>'),
  '+ is -': swap('+', '-'),
  'lessThan is lessThanOrEqual': swap('lessThan', 'lessThanOrEqual'),
  'greaterThanOrEqual is greaterThan': swap('greaterThanOrEqual', 'greaterThan'),
  'containsAll is containsAny': swap('containsAll', 'containsAny'),
  'containsAny is containsAll': swap('containsAny', 'containsAll'),
  '&& evaluates both sides': {
    '&&': two((left, right) => [asBoolean(left), asBoolean(right)].every(Boolean)),
  },
  '|| evaluates both sides': {
    '||': two((left, right) => [asBoolean(left), asBoolean(right)].some(Boolean)),
  },
  '&& leaves the type of its right side open': {
    '&&': (left, right) => (request) => asBoolean(left(request)) && right(request),
  },
  '+ wraps': wrapping('+', (a, b) => a + b),
  '- wraps': wrapping('-', (a, b) => a - b),
  '* wraps': wrapping('*', (a, b) => a * b),
  '* rounds': { '*': two((left, right) => Number(asLong(left)) * Number(asLong(right))) },
  '== fails between types': {
    '==': two((left, right) => {
      if (typeof left !== typeof right) throw new EvaluationError('')
      return equals(left, right)
    }),
  },
  'in is ==': { in: two((left, right) => equals(asUid(left), right)) },
  'in takes the first element that matches': {
    in: (left, right) => (request) => {
      const [uid, of] = [left(request), right(request)]
      if (!(of instanceof ValueSet))
        return (
          OPERATORS.binary['in']?.(
            () => uid,
            () => of,
          )(request) ?? false
        )
      return of.elements.some((each) =>
        OPERATORS.binary['in']?.(
          () => uid,
          () => each,
        )(request),
      )
    },
  },
  'contains compares texts': {
    contains: two((left, right) =>
      asSet(left).elements.some((each) => String(each) === String(right)),
    ),
  },
  'isInRange ignores the prefix of the left': {
    isInRange: two((left, right) => {
      const whole =
        left instanceof Ip ? new Ip(left.version, left.words, left.version === 4 ? 32 : 128) : left
      return (
        OPERATORS.binary['isInRange']?.(
          () => whole,
          () => right,
        )(NOWHERE) ?? false
      )
    }),
  },
}

const NOWHERE = {
  principal: new Uid('', ''),
  action: new Uid('', ''),
  resource: new Uid('', ''),
  context: new Map(),
  entities: new Map(),
}

function swap(name: string, other: string): Partial<Operators['binary']> {
  const make = OPERATORS.binary[other]
  if (!make) throw new Error(`There is no operator ${other}.`)
  return { [name]: make }
}

function wrapping(
  name: string,
  apply: (a: bigint, b: bigint) => bigint,
): Partial<Operators['binary']> {
  return {
    [name]: two((left, right) => {
      const exact = BigInt.asIntN(64, apply(BigInt(asLong(left)), BigInt(asLong(right))))
      return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact
    }),
  }
}

/** Nearly right versions of operators that take more than expressions. */
const NEARLY_SPECIAL: Readonly<Record<string, Partial<Special>>> = {
  'like ignores case': {
    like: (text, matches) => (request) => matches(asString(text(request)).toLowerCase()),
  },
  'has looks at the first step only': {
    has: (of, path) => OPERATORS.special.has(of, path.slice(0, 1)),
  },
  'has looks at the last step only': {
    has: (of, path) => OPERATORS.special.has(of, path.slice(-1)),
  },
  'if evaluates both branches': {
    'if-then-else': (test, then, other) => (request) => {
      const [one, two] = [then(request), other(request)]
      return asBoolean(test(request)) ? one : two
    },
  },
  'is accepts every entity': { is: (entity) => (request) => asUid(entity(request)).type !== '' },
  'Set keeps the first element only': {
    Set: (elements) => OPERATORS.special.Set(elements.slice(0, 1)),
  },
}

function mutants(): Mutant[] {
  return [
    ...wrapped('changes its result', CHANGED),
    ...wrapped('swallows failures', SWALLOWED),
    ...Object.entries(NEARLY).map(([name, changes]) => ({
      name,
      operators: { ...OPERATORS, binary: { ...OPERATORS.binary, ...defined(changes) } },
    })),
    ...Object.entries(NEARLY_SPECIAL).map(([name, changes]) => ({
      name,
      operators: { ...OPERATORS, special: { ...OPERATORS.special, ...changes } },
    })),
  ]
}

function defined(changes: Partial<Operators['binary']>): Operators['binary'] {
  return Object.fromEntries(
    Object.entries(changes).flatMap(([name, make]) => (make ? [[name, make]] : [])),
  )
}

function survives({ operators }: Mutant, cases: readonly Case[]): boolean {
  return cases.every(({ samples, requests }) => {
    const answer = ours(samples, operators)
    return requests.every(
      (input) => JSON.stringify(answer(input.ours)) === JSON.stringify(input.official),
    )
  })
}

function main(): number {
  const by = random(SEED)
  const cases = Array.from({ length: SETS }, () => generate(by, 125, 8))
  const all = mutants()
  const survivors = all.filter((mutant) => survives(mutant, cases))
  process.stdout.write(
    [
      `mutants: seed ${SEED}, ${all.length - survivors.length} of ${all.length} found`,
      ...survivors.map(({ name }) => `  not found: ${name}`),
      '',
    ].join('\n'),
  )
  // The evaluator as it is has to pass, or finding a mutant would mean nothing.
  const sound = survives({ name: 'none', operators: OPERATORS }, cases)
  if (!sound) process.stdout.write('  the evaluator itself fails\n')
  return sound && survivors.length === 0 ? 0 : 1
}

process.exitCode = main()
