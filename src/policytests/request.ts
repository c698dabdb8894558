/** The request of a test, in the words of an operator, as the Question that `decide` gets. */

import { isIP } from 'node:net'
import type { Findings, SettingPath } from '../config/findings.ts'
import type { EntityRef, Fact } from '../identity.ts'
import { GROUP, USER } from '../policy/principals.ts'
import { type Place, type Question, SENDERS } from '../policy/question.ts'
import type { PolicySettings } from '../policy/settings.ts'
import { readInstant } from '../policy/testing/instant.ts'
import { didYouMean } from '../suggest.ts'
import { count, duration, type Fields, fieldsOf, items, mapping, text, word } from './fields.ts'
import { factFault, isProved, partyOf, readPrincipal } from './party.ts'

/** Every word that a request may say. */
export const REQUEST_WORDS: readonly string[] = [
  'principal',
  'facts',
  'audience',
  'scope',
  'scopes',
  'at',
  'sourceIp',
  'place',
  'operation',
  'sender',
  'requestedTtl',
  'attestationAge',
  'subject',
  'user',
  'chain',
  'delegationDepth',
]

const OPERATIONS = ['issue', 'exchange', 'delegate'] as const
const CONTINENTS = ['AF', 'AN', 'AS', 'EU', 'NA', 'OC', 'SA'] as const
const TTL = 900

/** What a request stands for: facts of fixtures and of the request itself are one mapping. */
export type Asking = {
  readonly fields: Fields
  readonly facts: Fields
  /** Where it stands, for what is missing. */
  readonly at: SettingPath
}

/** Reads a request; null after reporting everything that is wrong with it. */
export function readRequest(
  asking: Asking,
  settings: PolicySettings,
  find: Findings,
): Question | null {
  const instant = readAt(asking, find)
  const principal = readActor(asking, settings, find)
  const facts = principal === null ? {} : readFacts(asking.facts, principal, find)
  const target = readTarget(asking, settings, find)
  if (instant === null || principal === null || target === null) return null
  const actor = partyOf(principal, facts, settings, instant)
  return {
    ...target,
    ...readCircumstances(asking, instant, find),
    version: 1,
    at: instant,
    actor,
    user: readUser(asking, settings, instant, find),
    ...readChain(asking, actor.uri, find),
  }
}

function readAt({ fields, at }: Asking, find: Findings): number | null {
  const field = fields.get('at')
  if (field === undefined) {
    find.error(at, 'says no `at`: write one, such as at: 2026-11-19T10:15[Europe/Berlin]', 'key')
    return null
  }
  const read = readInstant(text(field, find) ?? '')
  if ('at' in read) return read.at
  if (typeof field.value === 'string') find.error(field.at, read.fault)
  return null
}

function readActor(
  { fields, at }: Asking,
  settings: PolicySettings,
  find: Findings,
): EntityRef | null {
  const field = fields.get('principal')
  if (field === undefined) {
    find.error(at, 'says no `principal`, such as ServiceAccount::"cluster/namespace/name"', 'key')
    return null
  }
  const written = text(field, find)
  if (written === null) return null
  const principal = readPrincipal(written, settings)
  if (typeof principal === 'string') {
    find.error(field.at, principal)
    return null
  }
  if (!isProved(principal.type, settings)) {
    find.warn(field.at, `is a ${principal.type}, which no trust entry proves`)
  }
  return principal
}

const USER_WORDS = ['principal', 'groups', 'facts']

/** The person that the actor acts for: `{ principal: User::"corp/alice", groups: [traders], facts: { acr: … } }`. */
function readUser(
  { fields }: Asking,
  settings: PolicySettings,
  instant: number,
  find: Findings,
): Question['user'] {
  const field = fields.get('user')
  if (field === undefined || field.value === null) return null
  const said = fieldsOf(field, USER_WORDS, find)
  const principal = readActor({ fields: said, facts: new Map(), at: field.at }, settings, find)
  if (principal === null) return null
  if (principal.type !== USER) {
    find.error(field.at, `is a ${principal.type}; only a User is acted for`)
    return null
  }
  const stated = said.get('facts')
  const facts = stated === undefined ? {} : readFacts(mapping(stated, find), principal, find)
  const named = said.get('groups')
  const groups = named === undefined ? [] : items(named).flatMap((item) => text(item, find) ?? [])
  const provider = principal.id.slice(0, principal.id.indexOf('/'))
  const ancestry = groups.map((group) => ({ type: GROUP, id: `${provider}/${group}` }))
  return { ...partyOf(principal, facts, settings, instant), ancestry }
}

function readFacts(
  stated: Fields,
  { type }: EntityRef,
  find: Findings,
): Record<string, Fact['value']> {
  const facts: Record<string, Fact['value']> = {}
  for (const [name, { value, at }] of stated) {
    // `null` takes back what a fixture states: the fact is unknown.
    const fault = factFault(type, name, value)
    if (value === null && fault?.startsWith('is not a ')) continue
    if (fault !== null) find.error(at, fault, fault.startsWith('is no fact') ? 'key' : 'value')
    else facts[name] = value as Fact['value']
  }
  return facts
}

function readTarget(
  { fields, at }: Asking,
  settings: PolicySettings,
  find: Findings,
): Pick<Question, 'audience' | 'scopes'> | null {
  const known = settings.audiences.map(({ audience }) => audience)
  const field = fields.get('audience')
  const named =
    field === undefined ? (known.length === 1 ? known[0] : undefined) : text(field, find)
  if (named === undefined) {
    find.error(at, `says no \`audience\`: it is one of ${known.join(', ')}`, 'key')
  }
  const offer = settings.audiences.find(({ audience }) => audience === named)
  if (offer === undefined) {
    if (field !== undefined && typeof named === 'string') {
      find.error(
        field.at,
        `is ${JSON.stringify(named)}, which is not configured${didYouMean(named, known)}`,
      )
    }
    return null
  }
  return { audience: offer.audience, scopes: readScopes(fields, offer, find) }
}

function readScopes(
  fields: Fields,
  { audience, scopes: offered }: PolicySettings['audiences'][number],
  find: Findings,
): string[] {
  const [one, many] = [fields.get('scope'), fields.get('scopes')]
  if (one !== undefined && many !== undefined) {
    find.error(one.at, 'stands beside `scopes`: keep one of them', 'key')
  }
  const scopes = [one, many].flatMap((field) => (field === undefined ? [] : items(field)))
  return scopes.flatMap((item) => {
    const scope = text(item, find)
    if (scope === null || offered.includes(scope)) return scope ?? []
    const hint = didYouMean(scope, offered) || ` (it offers ${offered.join(', ') || 'no scopes'})`
    find.error(item.at, `is ${JSON.stringify(scope)}, which ${audience} does not offer${hint}`)
    return []
  })
}

type Circumstances = Pick<
  Question,
  'sourceIp' | 'place' | 'operation' | 'sender' | 'requestedTtl' | 'attestationAge'
>

function readCircumstances({ fields }: Asking, instant: number, find: Findings): Circumstances {
  const read = <T>(
    name: string,
    otherwise: T,
    reader: (field: NonNullable<ReturnType<Fields['get']>>) => T | null,
  ): T => {
    const field = fields.get(name)
    return field === undefined ? otherwise : (reader(field) ?? otherwise)
  }
  return {
    sourceIp: read<string | null>('sourceIp', null, ({ value, at }) => {
      if (value === null || (typeof value === 'string' && isIP(value) !== 0)) return value
      find.error(at, `is ${JSON.stringify(value)}, not an IP address`)
      return null
    }),
    place: read<Place | null>('place', null, (field) =>
      field.value === null ? null : readPlace(field, instant, find),
    ),
    operation: read('operation', 'issue', (field) => word(field, OPERATIONS, find)),
    sender: read('sender', 'bearer', (field) => word(field, SENDERS, find)),
    requestedTtl: read('requestedTtl', TTL, (field) => duration(field, find)),
    attestationAge: read('attestationAge', 0, (field) => duration(field, find)),
  }
}

function readPlace(
  field: Parameters<typeof mapping>[0],
  instant: number,
  find: Findings,
): Place | null {
  const fields = fieldsOf(field, ['country', 'continent', 'asn', 'age'], find)
  const [country, continent, asn, age] = ['country', 'continent', 'asn', 'age'].map((name) =>
    fields.get(name),
  )
  if (country === undefined || continent === undefined) {
    find.error(field.at, 'needs a country and a continent, such as { country: DE, continent: EU }')
    return null
  }
  if (typeof country.value !== 'string' || !/^[A-Z]{2}$/.test(country.value)) {
    find.error(
      country.at,
      `is ${JSON.stringify(country.value)}, not an ISO 3166 country such as "DE"`,
    )
    return null
  }
  const where = word(continent, CONTINENTS, find)
  if (where === null) return null
  return {
    country: country.value,
    continent: where,
    asn: asn === undefined || asn.value === null ? null : count(asn, find),
    builtAt: instant - (age === undefined ? 0 : (duration(age, find) ?? 0)),
  }
}

function readChain(
  { fields }: Asking,
  uri: string,
  find: Findings,
): Pick<Question, 'subject' | 'chain' | 'delegationDepth'> {
  const [subject, prior, depth] = ['subject', 'chain', 'delegationDepth'].map((name) =>
    fields.get(name),
  )
  const chain = prior === undefined ? [] : items(prior).flatMap((item) => text(item, find) ?? [])
  return {
    subject: subject === undefined ? uri : (text(subject, find) ?? uri),
    chain,
    delegationDepth: depth === undefined ? chain.length : (count(depth, find) ?? 0),
  }
}
