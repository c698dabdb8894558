/**
 * A Question in Cedar's words. Values are built field by field from the schema, never copied over: a claim
 * such as `{"__entity": …}` would become a reference to an entity (policy.md §6.4). Questions may come
 * from a log, so the types are checked again.
 */

import type { Facts } from '../identity.ts'
import type { Attribute } from './attributes.ts'
import type { Entity, Request } from './eval/entities.ts'
import { EvaluationError } from './eval/failure.ts'
import { ip } from './eval/ip.ts'
import { type Fields, type Ip, Uid, type Value, ValueSet } from './eval/value.ts'
import type { Generation } from './generation.ts'
import { GROUP, PRINCIPALS, type Tree, tree, USER } from './principals.ts'
import type { Party, Place, Question } from './question.ts'
import { entityText } from './scan.ts'
import { Misfit, type Standing } from './standing.ts'

/** A request, but for the action: a Question may ask for several. */
export type Asked = Omit<Request, 'action'>

/**
 * Builds what policies are evaluated on.
 *
 * @param standing that of the question's actor before its audience
 * @throws Misfit where a value has the wrong type or a required fact is missing
 */
export function requestOf(question: Question, generation: Generation, standing: Standing): Asked {
  const { principal, resource, ancestors, around } = standing
  const self: Entity = { attributes: attributesOf(question.actor), tags: new Map(), ancestors }
  const user = question.user ? personOf(question.user, generation) : null
  const context = contextOf(question, generation)
  if (user !== null) context.set('user', user.uid)
  const known = (key: string) => (key === user?.uid.key ? user.entity : around.get(key))
  return {
    principal,
    resource,
    context,
    entities: { get: (key) => (key === principal.key ? self : known(key)) },
  }
}

/** A person, who is in groups: those of the provider, and those of the configuration. */
function personOf(user: Party, generation: Generation): { uid: Uid; entity: Entity } {
  const { type, id } = user.principal
  if (type !== USER) throw new Misfit(`nobody acts for a ${type}`)
  // INVARIANT: a provider names groups of its own, never those of the configuration or of another provider.
  const own = `${string(id, 'user').split('/', 1)[0]}/`
  const foreign = user.ancestry.find((each) => each.type !== GROUP || !each.id.startsWith(own))
  if (foreign !== undefined) throw new Misfit(`${foreign.type} ${foreign.id} is no group of ${own}`)
  const groups = [...user.ancestry, ...(generation.groups.get(entityText(user.principal)) ?? [])]
  const ancestors = new Set(groups.map((group) => new Uid(group.type, group.id).key))
  return {
    uid: new Uid(type, id),
    entity: { attributes: attributesOf(user), tags: new Map(), ancestors },
  }
}

/** An attribute, or a record of them, with the fact that it is read from. */
type Slot =
  | { readonly name: string; readonly path: string; readonly attribute: Attribute }
  | { readonly name: string; readonly slots: readonly Slot[] }

function slotsOf(level: Tree<Attribute>, prefix = ''): Slot[] {
  return [...level].map(([name, leaf]) =>
    leaf instanceof Map
      ? { name, slots: slotsOf(leaf, `${prefix}${name}.`) }
      : { name, path: own(prefix + name), attribute: leaf },
  )
}

/** The name of a fact. It cannot be that of something which every object has. */
function own(path: string): string {
  if (path in Object.prototype) throw new Error(`No attribute can be named ${path}.`)
  return path
}

const LAYOUTS: ReadonlyMap<string, readonly Slot[]> = new Map(
  Object.entries(PRINCIPALS).map(([type, { attributes }]) => [type, slotsOf(tree(attributes))]),
)

function attributesOf({ principal, facts }: Party): Fields {
  const fields: Fields = new Map()
  const missing = fill(fields, LAYOUTS.get(principal.type) ?? [], facts)
  if (missing !== null) throw new Misfit(`the fact ${missing} is missing`)
  return fields
}

/** Puts what is known into a record. Returns the path of a required fact that is not, or null. */
function fill(fields: Fields, slots: readonly Slot[], facts: Facts): string | null {
  let missing: string | null = null
  for (const slot of slots) {
    if ('slots' in slot) {
      const inner: Fields = new Map()
      const lacking = fill(inner, slot.slots, facts)
      // A record is known when any of its facts is; it then has to be complete.
      if (inner.size === 0) continue
      if (lacking !== null) throw new Misfit(`the fact ${lacking} is missing`)
      fields.set(slot.name, inner)
      continue
    }
    const { name, path, attribute } = slot
    const fact = facts[path]
    if (fact) fields.set(name, TYPED[attribute.type](fact.value, path))
    else if (attribute.required) missing = path
  }
  return missing
}

const TYPED: Readonly<Record<Attribute['type'], (value: unknown, path: string) => Value>> = {
  String: string,
  Long: long,
  Bool: boolean,
  'Set<String>': (value, path) => {
    if (!Array.isArray(value)) throw new Misfit(`${path} is not a list`)
    return new ValueSet(value.map((item) => string(item, path)))
  },
}

function string(value: unknown, path: string): string {
  // Cedar's strings are Unicode text; half a surrogate pair is not.
  if (typeof value !== 'string' || !value.isWellFormed())
    throw new Misfit(`${path} is not a string`)
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

/** The fields of `Asked` in the schema. What is unknown is left out. */
function contextOf(question: Question, generation: Generation): Fields {
  const { at } = question
  if (Math.abs(long(at, 'at')) > LAST_INSTANT) throw new Misfit('at is not an instant')
  const { time, now, calendar } = generation.moments(at)
  const context: Fields = new Map<string, Value>([
    ['time', time],
    ['now', now],
    ['calendar', calendar],
  ])
  context.set('chain', chainOf(question.chain))
  if (question.sourceIp !== null) context.set('sourceIp', addressOf(question.sourceIp))
  // A Question from before there were places has none.
  if (question.place) context.set('geo', geoOf(at, question.place))
  for (const name of TEXTS) context.set(name, string(question[name], name))
  for (const name of NUMBERS) context.set(name, long(question[name], name))
  return context
}

const NOBODY = new ValueSet([])

function chainOf(chain: readonly string[]): ValueSet {
  if (chain.length === 0) return NOBODY
  return new ValueSet(chain.map((actor) => string(actor, 'chain')))
}

const TEXTS = ['operation', 'sender', 'subject'] as const
const NUMBERS = ['requestedTtl', 'attestationAge', 'delegationDepth'] as const

function addressOf(sourceIp: string): Ip {
  // An IPv4 address in IPv6 dress would slip through a forbid on an IPv4 range.
  const address = string(sourceIp, 'sourceIp')
  try {
    return ip(address.startsWith(':') ? address.replace(/^::ffff:(?=\d+\.)/i, '') : address)
  } catch (error) {
    if (error instanceof EvaluationError) throw new Misfit('sourceIp is not an address')
    throw error
  }
}

function geoOf(at: number, { country, continent, asn, builtAt }: Place): Fields {
  const geo: Fields = new Map<string, Value>([
    ['country', string(country, 'country')],
    ['continent', string(continent, 'continent')],
    ['ageDays', Math.max(0, Math.floor((at - long(builtAt, 'builtAt')) / 86_400))],
  ])
  if (asn !== null) geo.set('asn', long(asn, 'asn'))
  return geo
}
