/**
 * A Question in Cedar's words. Values are built field by field from the schema, never copied over: a claim
 * such as `{"__entity": …}` would become a reference to an entity (policy.md §6.4). Questions may come
 * from a log, so the types are checked again.
 */

import type { EntityRef, Facts } from '../identity.ts'
import type { Request, Value } from './engine.ts'
import type { Generation } from './generation.ts'
import type { Names, Needs } from './needs.ts'
import { type Attribute, PRINCIPALS, type Tree, tree } from './principals.ts'
import type { Party, Question } from './question.ts'
import { entityText } from './scan.ts'

/** A Question that does not fit the schema. It is denied, never evaluated in part. */
export class Misfit extends Error {}

/** What the actor is in: its platform's containers, the environment around them, and its groups. */
export type Place = {
  readonly ancestry: readonly EntityRef[]
  readonly environment: EntityRef | null
  readonly groups: readonly EntityRef[]
  /** All of them. */
  readonly above: readonly EntityRef[]
}

/**
 * Where an actor stands under a generation.
 *
 * @throws Misfit for a principal type or an ancestry that the schema does not have: groups and
 *   environments come from the configuration alone, whatever a Party says
 */
export function placeOf(actor: Party, generation: Generation): Place {
  const row = Object.hasOwn(PRINCIPALS, actor.principal.type) && PRINCIPALS[actor.principal.type]
  if (!row) throw new Misfit(`no principal type ${actor.principal.type}`)
  const ancestry = actor.ancestry.map(({ type, id }) => ({ type, id: string(id, 'ancestry') }))
  if (ancestry.map(({ type }) => type).join() !== row.ancestry.join()) {
    throw new Misfit(`a ${actor.principal.type} is in ${row.ancestry.join(', ')}`)
  }
  const outermost = ancestry.at(-1) ?? actor.principal
  const environment = generation.environments.get(entityText(outermost)) ?? null
  const groups = generation.groups.get(entityText(actor.principal)) ?? []
  return {
    ancestry,
    environment,
    groups,
    above: [...ancestry, ...(environment ? [environment] : []), ...groups],
  }
}

/**
 * Builds what Cedar is asked.
 *
 * @param needs the attributes that can be read; others may be left out
 * @throws Misfit where a value has the wrong type or a required fact is missing
 */
export function requestOf(
  question: Question,
  generation: Generation,
  place: Place,
  needs: Needs,
): Request {
  const { type, id } = question.actor.principal
  const principal = { type, id: string(id, 'principal') }
  return {
    principal,
    resource: { type: 'Audience', id: string(question.audience, 'audience') },
    context: contextOf(question, generation, needs.context),
    entities: [
      {
        uid: principal,
        attrs: attributesOf(question.actor, needs.principal),
        parents: [...place.ancestry.slice(0, 1), ...place.groups],
      },
      ...place.ancestry.map((uid, index) => ({
        uid,
        attrs: {},
        parents: [place.ancestry[index + 1] ?? place.environment ?? []].flat(),
      })),
    ],
  }
}

function attributesOf(actor: Party, needed: Names): Record<string, Value> {
  const level = tree(PRINCIPALS[actor.principal.type]?.attributes ?? {})
  const wanted = [...level].filter(([name]) => needed === 'all' || needed.has(name))
  return record(new Map(wanted), actor.facts, '')
}

function record(level: Tree<Attribute>, facts: Facts, prefix: string): Record<string, Value> {
  const values: Record<string, Value> = {}
  for (const [name, leaf] of level) {
    const path = `${prefix}${name}`
    if (leaf instanceof Map) {
      // A record is known when any of its facts is; it then has to be complete.
      const known = Object.keys(facts).some((fact) => fact.startsWith(`${path}.`))
      if (known) values[name] = record(leaf, facts, `${path}.`)
      continue
    }
    const fact = Object.hasOwn(facts, path) ? facts[path] : undefined
    if (fact) values[name] = TYPED[leaf.type](fact.value, path)
    else if (leaf.required) throw new Misfit(`the fact ${path} is missing`)
  }
  return values
}

const TYPED: Readonly<Record<Attribute['type'], (value: unknown, path: string) => Value>> = {
  String: string,
  Long: long,
  Bool: boolean,
  'Set<String>': (value, path) => {
    if (!Array.isArray(value)) throw new Misfit(`${path} is not a list`)
    return value.map((item) => string(item, path))
  },
}

function string(value: unknown, path: string): string {
  if (typeof value !== 'string') throw new Misfit(`${path} is not a string`)
  return value
}

function long(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw new Misfit(`${path} is not a whole number`)
  }
  return value
}

function boolean(value: unknown, path: string): boolean {
  if (typeof value !== 'boolean') throw new Misfit(`${path} is not true or false`)
  return value
}

/** The last second that a Date can hold. */
const LAST_INSTANT = 8.64e12

/** Each field of `Asked` in the schema; null leaves it out. Only those that are needed are computed. */
const FIELDS: Readonly<Record<string, (question: Question, generation: Generation) => Value>> = {
  time: ({ at }) => extension('datetime', new Date(at * 1000).toISOString()),
  now: ({ at }, { clocks }) =>
    Object.fromEntries(
      [...clocks].map(([zone, read]) => {
        const { weekday, timeOfDay, date } = read(at)
        return [zone, { weekday, timeOfDay: extension('duration', timeOfDay), date }]
      }),
    ),
  calendar: ({ at }, { calendars }) =>
    Object.fromEntries([...calendars].map(([name, includes]) => [name, includes(at)])),
  sourceIp: ({ sourceIp }) => {
    if (sourceIp === null) return null
    // An IPv4 address in IPv6 dress would slip through a forbid on an IPv4 range.
    const address = string(sourceIp, 'sourceIp').replace(/^::ffff:(?=\d+\.)/i, '')
    return extension('ip', address)
  },
  operation: ({ operation }) => string(operation, 'operation'),
  sender: ({ sender }) => string(sender, 'sender'),
  requestedTtl: ({ requestedTtl }) => long(requestedTtl, 'requestedTtl'),
  attestationAge: ({ attestationAge }) => long(attestationAge, 'attestationAge'),
  delegationDepth: ({ delegationDepth }) => long(delegationDepth, 'delegationDepth'),
  subject: ({ subject }) => string(subject, 'subject'),
}

function contextOf(
  question: Question,
  generation: Generation,
  needed: Names,
): Record<string, Value> {
  if (Math.abs(long(question.at, 'at')) > LAST_INSTANT) throw new Misfit('at is not an instant')
  const context: Record<string, Value> = {}
  for (const [name, value] of Object.entries(FIELDS)) {
    if (needed !== 'all' && !needed.has(name)) continue
    const built = value(question, generation)
    if (built !== null) context[name] = built
  }
  return context
}

function extension(fn: string, arg: string): Value {
  return { __extn: { fn, arg } }
}
