/**
 * The annotations of a policy. Cedar ignores the ones that it does not know, so a misspelt `@ttl` would
 * silently lift its limit: only those of this table load.
 */

import { didYouMean } from '../suggest.ts'
import { SENDERS, type Sender } from './question.ts'
import { type Token, unquote } from './scan.ts'

type Rule = {
  readonly accepts: (value: string) => boolean
  readonly expected: string
  /** Obligations say how a permitted token looks; on a forbid they would say nothing. */
  readonly permitOnly: boolean
}

const PROSE: Rule = {
  accepts: (value) => value.trim() !== '' && value.length <= 500,
  expected: 'some text, at most 500 characters',
  permitOnly: false,
}

const ID = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/
const TTL = /^([1-9]\d{0,4})([smh])$/
const UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }

const RULES: Readonly<Record<string, Rule>> = {
  id: {
    accepts: (value) => ID.test(value),
    expected: 'letters, digits, ".", "_", "/" and "-", at most 128',
    permitOnly: false,
  },
  owner: PROSE,
  description: PROSE,
  ticket: PROSE,
  ttl: {
    accepts: (value) => TTL.test(value),
    expected: 'a number and s, m or h, such as "5m"',
    permitOnly: true,
  },
  sender: {
    accepts: (value) => SENDERS.some((sender) => sender === value),
    expected: '"bearer", "dpop" or "mtls"',
    permitOnly: true,
  },
}

/** Annotations that are planned. Accepting one early would look like protection. */
const LATER: readonly string[] = ['expires', 'format', 'mode']

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
  if (!rule) {
    if (LATER.includes(name)) return `annotation @${name} is not supported by this version`
    return `unknown annotation @${name}${didYouMean(name, Object.keys(RULES))}`
  }
  if (rule.permitOnly && effect === 'forbid') return `@${name} says nothing on a forbid`
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

/** Whether a token bound by `offered` satisfies a demand: bearer < dpop < mtls. */
export function satisfies(offered: Sender, demanded: Sender): boolean {
  return SENDERS.indexOf(offered) >= SENDERS.indexOf(demanded)
}
