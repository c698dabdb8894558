/**
 * Cedar's `Long`: a signed 64-bit integer whose arithmetic fails instead of wrapping. Exact, and as fast as
 * a JavaScript number wherever one is exact.
 */

import { EvaluationError } from './failure.ts'

/**
 * A Long. Canonical, so that `===` compares values: a `number` inside ±(2^53 - 1), a `bigint` outside.
 */
export type Long = number | bigint

const MIN = -(2n ** 63n)
const MAX = 2n ** 63n - 1n

/** The canonical form of an exact result; null where it does not fit 64 bits. */
export function fitted(exact: bigint): Long | null {
  if (exact < MIN || exact > MAX) return null
  const near = Number(exact)
  return Number.isSafeInteger(near) ? near : exact
}

function canonical(exact: bigint): Long {
  const long = fitted(exact)
  if (long === null) throw new EvaluationError('integer overflow')
  return long
}

// A rounded result is never a safe integer, so a safe one is exact: the sum or product of two safe integers
// that is itself at most 2^53 - 1 needs no rounding, and rounding keeps a greater one at 2^53 or above.

/** a + b. @throws EvaluationError on overflow */
export function add(a: Long, b: Long): Long {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum
  }
  return canonical(BigInt(a) + BigInt(b))
}

/** a - b. @throws EvaluationError on overflow */
export function subtract(a: Long, b: Long): Long {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b
    if (Number.isSafeInteger(difference)) return difference
  }
  return canonical(BigInt(a) - BigInt(b))
}

/** a × b. @throws EvaluationError on overflow */
export function multiply(a: Long, b: Long): Long {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b
    if (Number.isSafeInteger(product)) return product
  }
  return canonical(BigInt(a) * BigInt(b))
}

/** -a. @throws EvaluationError for the least Long, whose negative does not exist */
export function negate(a: Long): Long {
  return subtract(0, a)
}

/** a ÷ b without its fraction, towards zero. `b` is a positive constant of ours. */
export function quotient(a: Long, b: number): Long {
  if (typeof a === 'number') return (a - (a % b)) / b
  return canonical(a / BigInt(b))
}

/** What is left of `a` above the next lower multiple of `b`: never negative. */
export function modulo(a: Long, b: number): number {
  const rest = typeof a === 'number' ? a % b : Number(a % BigInt(b))
  return rest < 0 ? rest + b : rest
}
