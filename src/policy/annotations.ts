/**
 * The annotations of a policy. Cedar ignores the ones that it does not know, so a misspelt `@ttl` would
 * silently lift its limit: only those of this table load.
 */

import { didYouMean } from '../suggest.ts'
import { FORMATS, type Format, SENDERS, type Sender } from './question.ts'
import { type Token, unquote } from './scan.ts'

type Rule = {
  readonly accepts: (value: string) => boolean
  readonly expected: string
  /** What is wrong with it on a forbid; null where nothing is. */
  readonly onForbid: string | null
}

/** Obligations say how a permitted token looks. */
const SAYS_NOTHING = 'says nothing on a forbid'

const PROSE: Rule = {
  accepts: (value) => value.trim() !== '' && value.length <= 500,
  expected: 'some text, at most 500 characters',
  onForbid: null,
}

const ID = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/
const TTL = /^([1-9]\d{0,4})([smh])$/
const UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }
const EXPIRES = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))?$/i
const DAY = 86_400

const RULES: Readonly<Record<string, Rule>> = {
  id: {
    accepts: (value) => ID.test(value),
    expected: 'letters, digits, ".", "_", "/" and "-", at most 128',
    onForbid: null,
  },
  owner: PROSE,
  description: PROSE,
  ticket: PROSE,
  ttl: {
    accepts: (value) => TTL.test(value),
    expected: 'a number and s, m or h, such as "5m"',
    onForbid: SAYS_NOTHING,
  },
  sender: {
    accepts: (value) => SENDERS.some((sender) => sender === value),
    expected: '"bearer", "dpop" or "mtls"',
    onForbid: SAYS_NOTHING,
  },
  format: {
    accepts: (value) => FORMATS.some((format) => format === value),
    expected: '"jwt" or "opaque"',
    onForbid: SAYS_NOTHING,
  },
  mode: { accepts: (value) => value === 'report', expected: '"report"', onForbid: null },
  expires: {
    accepts: (value) => instant(value) !== null,
    expected: 'a day such as "2026-12-31", or a time such as "2026-12-31T18:00:00Z"',
    onForbid: 'is not allowed on a forbid: what it forbids would open by itself',
  },
}

/** One annotation as written. `value` is null where it has none. */
export type Annotation = {
  readonly name: string
  readonly value: string | null
  readonly nameToken: Token
  readonly valueToken: Token | null
}

/** The annotations before `permit` or `forbid`, in order. */
export function annotationsOf(tokens: readonly Token[]): Annotation[] {
  const found: Annotation[] = []
  for (const [index, token] of tokens.entries()) {
    if (token.text === 'permit' || token.text === 'forbid') {
      if (tokens[index - 1]?.text !== '@') break
    }
    const nameToken = tokens[index + 1]
    if (token.text !== '@' || nameToken?.kind !== 'word') continue
    const value = tokens[index + 3]
    const valueToken = tokens[index + 2]?.text === '(' && value?.kind === 'string' ? value : null
    found.push({
      name: nameToken.text,
      value: valueToken && unquote(valueToken.text),
      nameToken,
      valueToken,
    })
  }
  return found
}

/** What is wrong with an annotation, as a sentence; null when nothing is. */
export function fault({ name, value }: Annotation, effect: string): string | null {
  const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined
  if (!rule) return `unknown annotation @${name}${didYouMean(name, Object.keys(RULES))}`
  if (rule.onForbid !== null && effect === 'forbid') return `@${name} ${rule.onForbid}`
  if (value !== null && rule.accepts(value)) return null
  return `bad value ${value === null ? '(none)' : JSON.stringify(value)} for @${name} (expected ${rule.expected})`
}

/** The seconds of a `@ttl` that `fault` accepts; null for anything else. */
export function ttlSeconds(value: string | null): number | null {
  const [, number, unit] = TTL.exec(value ?? '') ?? []
  return number && unit ? Number(number) * (UNIT[unit] ?? 1) : null
}

/** The sender of a `@sender`; null for anything else. */
export function senderOf(value: string | null): Sender | null {
  return SENDERS.find((sender) => sender === value) ?? null
}

/** The format of a `@format`; null for anything else. */
export function formatOf(value: string | null): Format | null {
  return FORMATS.find((format) => format === value) ?? null
}

/**
 * When a policy ends, epoch seconds: from then on it is as if it were not there. A day ends with its last
 * second, UTC. Null for a policy without end.
 */
export function expiresOf(annotations: readonly Annotation[]): number | null {
  return instant(annotations.find(({ name }) => name === 'expires')?.value ?? '')
}

/** Whether a policy decides, or is only evaluated and its effect reported. */
export function modeOf(annotations: readonly Annotation[]): 'enforce' | 'report' {
  return annotations.some(({ name, value }) => name === 'mode' && value === 'report')
    ? 'report'
    : 'enforce'
}

function instant(value: string): number | null {
  const [, day, time] = EXPIRES.exec(value) ?? []
  if (day === undefined) return null
  const midnight = Date.parse(`${day}T00:00:00Z`)
  // Some runtimes read the 30th of February as the 2nd of March.
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return null
  if (time === undefined) return midnight / 1000 + DAY
  const at = Date.parse(value.toUpperCase())
  return Number.isNaN(at) ? null : Math.floor(at / 1000)
}
