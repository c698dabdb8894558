/**
 * From a policy's text to the JSON form that `compile.ts` takes. The form reaches us in JavaScript numbers, in
 * which 9223372036854775807 silently becomes 9223372036854775808: so great literals are first written as sums
 * of products of smaller ones. The value is the same, and no step of it overflows.
 */

import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { Cedar } from '../cedar.ts'
import { scan } from '../scan.ts'

/** The JSON form of one static policy, or what Cedar says is wrong with its text. */
export type Parsed = { readonly json: PolicyJson } | { readonly errors: readonly DetailedError[] }

/** Parses one policy. Errors are about the text as given. */
export function parsePolicy(cedar: Cedar, text: string): Parsed {
  const parsed = cedar.policyToJson(text)
  if (parsed.type === 'failure') return { errors: parsed.errors }
  const exact = exactly(text)
  const again = exact === text ? parsed : cedar.policyToJson(exact)
  return again.type === 'failure' ? { errors: again.errors } : { json: again.json }
}

const HALF = 2n ** 32n

/** A text that Cedar parses, so that its numbers stand only where an expression may, with small literals. */
function exactly(text: string): string {
  let done = 0
  let result = ''
  const tokens = scan(text)
  for (const [index, { text: digits, start, end }] of tokens.entries()) {
    if (!/^[0-9]{16,}$/.test(digits)) continue
    const value = BigInt(digits)
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) continue
    const [high, low] = [value / HALF, value % HALF]
    // 2^63 exists only below zero: the minus before it is part of the literal.
    const minus = value === 2n ** 63n ? tokens[index - 1] : undefined
    result += text.slice(done, minus?.start ?? start)
    result += minus ? `(-${high} * ${HALF})` : `(${high} * ${HALF} + ${low})`
    done = end
  }
  return result + text.slice(done)
}
