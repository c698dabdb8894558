/** `--set path=value`: one request, changed by hand. */

import { isIP } from 'node:net'
import type { Fact } from '../../identity.ts'
import { PRINCIPALS } from '../../policy/principals.ts'
import type { Question } from '../../policy/question.ts'
import { readQuestion } from '../../policy/report/recorded.ts'
import type { PolicySettings } from '../../policy/settings.ts'
import { readInstant } from '../../policy/testing/instant.ts'
import { factFault, partyOf, readPrincipal } from '../../policytests/party.ts'
import { didYouMean } from '../../suggest.ts'
import { DURATION_PATTERN, seconds } from '../../units.ts'
import { UsageError } from '../command.ts'

/** Short for `actor.facts.<name>.value`. */
const FACT = /^(?:actor\.)?facts\.(.+?)(?:\.value)?$/
const FIELDS = [
  'at',
  'sourceIp',
  'place.country',
  'place.continent',
  'place.asn',
  'operation',
  'audience',
  'scopes',
  'requestedTtl',
  'attestationAge',
  'delegationDepth',
  'sender',
  'subject',
  'chain',
  'principal',
]

/**
 * A Question with one thing changed.
 *
 * @param edit `sourceIp=192.0.2.1`, `at=2026-11-19T22:40[Europe/Berlin]`, `facts.pod.name=x`; `=null` for unknown
 * @throws UsageError for a path or a value that a Question cannot have
 */
export function applyEdit(question: Question, edit: string, settings: PolicySettings): Question {
  const [, path = '', value = ''] = /^([^=]+)=(.*)$/s.exec(edit) ?? []
  if (path === '') throw new UsageError(`--set ${edit}: write path=value`)
  const fact = FACT.exec(path)?.[1]
  if (fact !== undefined) return setFact(question, fact, value)
  if (path === 'principal') return setPrincipal(question, value, settings)
  if (!FIELDS.includes(path)) {
    const known = [...FIELDS, ...factNames(question).map((name) => `facts.${name}`)]
    throw new UsageError(
      `--set ${path}: a request has no such field${didYouMean(path, known)}; there are ${FIELDS.join(', ')} and facts.<name>`,
    )
  }
  const [field = '', inner] = path.split('.')
  const read = fieldValue(path, value)
  if (inner === undefined) return checked({ ...question, [field]: read }, edit)
  const place = { country: '', continent: '', asn: null, builtAt: question.at, ...question.place }
  return { ...question, place: { ...place, [inner]: read } }
}

function fieldValue(path: string, value: string): unknown {
  if (value === 'null') return null
  switch (path) {
    case 'at':
      return instantOf(value)
    case 'scopes':
    case 'chain':
      return value.split(/[\s,]+/).filter((part) => part !== '')
    case 'requestedTtl':
    case 'attestationAge':
      return new RegExp(DURATION_PATTERN).test(value) ? seconds(value) : numberOf(path, value)
    case 'delegationDepth':
    case 'place.asn':
      return numberOf(path, value)
    case 'sourceIp':
      if (isIP(value) === 0) throw new UsageError(`--set ${path}: ${value} is not an IP address`)
      return value
    default:
      return value
  }
}

function instantOf(value: string): number {
  const read = readInstant(value)
  if ('fault' in read) throw new UsageError(`--set at: ${value} ${read.fault}`)
  return read.at
}

function numberOf(path: string, value: string): number {
  const number = Number(value)
  if (value !== '' && Number.isSafeInteger(number) && number >= 0) return number
  throw new UsageError(`--set ${path}: ${value} is not a whole number`)
}

function checked(question: unknown, edit: string): Question {
  const read = readQuestion(question)
  if (read === null) throw new UsageError(`--set ${edit}: that is no value for this field`)
  return read
}

function setPrincipal(question: Question, text: string, settings: PolicySettings): Question {
  const principal = readPrincipal(text, settings)
  if (typeof principal === 'string') throw new UsageError(`--set principal: it ${principal}`)
  const actor = partyOf(principal, {}, settings, question.at)
  // What was proved of another workload says nothing of this one.
  return {
    ...question,
    actor,
    subject: question.subject === question.actor.uri ? actor.uri : question.subject,
  }
}

function factNames({ actor }: Question): string[] {
  return Object.keys(PRINCIPALS[actor.principal.type]?.attributes ?? {})
}

function setFact(question: Question, name: string, text: string): Question {
  const { actor } = question
  const { [name]: before, ...others } = actor.facts
  const attribute = PRINCIPALS[actor.principal.type]?.attributes[name]
  const list = attribute?.type === 'Set<String>'
  const value = list
    ? text.split(/[\s,]+/).filter((part) => part !== '')
    : scalar(text, attribute?.type)
  const fault = factFault(actor.principal.type, name, value)
  if (text === 'null' && attribute !== undefined)
    return { ...question, actor: { ...actor, facts: others } }
  if (fault !== null) throw new UsageError(`--set facts.${name}: ${text} ${fault}`)
  const fact: Fact = {
    grade: 'A',
    source: 'edited',
    observedAt: question.at,
    ...before,
    value: value as Fact['value'],
  }
  return { ...question, actor: { ...actor, facts: { ...others, [name]: fact } } }
}

function scalar(text: string, type: string | undefined): unknown {
  if (type === 'Bool') return text === 'true' ? true : text === 'false' ? false : text
  return type === 'Long' ? Number(text) : text
}
