/** Cedar's `decimal`: a fixed-point number of four places in 64 bits. */

import { EvaluationError } from './failure.ts'
import { fitted, type Long } from './long.ts'
import { Decimal, mistyped, type Value } from './value.ts'

const DECIMAL = /^(-?)([0-9]+)\.([0-9]{1,4})$/

/**
 * Reads `12.5`: at least one and at most four places, at least one digit before them.
 *
 * @throws EvaluationError for anything else, and for what does not fit
 */
export function decimal(text: string): Decimal {
  const [, sign, whole, places] = DECIMAL.exec(text) ?? []
  if (whole !== undefined && places !== undefined) {
    const units = BigInt(whole + places.padEnd(4, '0'))
    const exact = fitted(sign === '-' ? -units : units)
    if (exact !== null) return new Decimal(exact)
  }
  throw new EvaluationError('not a decimal')
}

/** The ten-thousandths of a decimal. @throws EvaluationError unless the value is one */
export function unitsOf(value: Value): Long {
  if (value instanceof Decimal) return value.units
  throw mistyped('a decimal', value)
}
