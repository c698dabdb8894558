/** Cedar's JSON values and entities as our evaluator takes them. Only tests read these forms. */

import type {
  CedarValueJson,
  Context,
  EntityJson,
  TypeAndId,
} from '@cedar-policy/cedar-wasm/nodejs'
import type { EntityRef } from '../../src/identity.ts'
import { compileExpression } from '../../src/policy/eval/compile.ts'
import type { Entities, Entity } from '../../src/policy/eval/entities.ts'
import { fitted } from '../../src/policy/eval/long.ts'
import { written } from '../../src/policy/eval/text.ts'
import {
  Datetime,
  Decimal,
  type Duration,
  type Fields,
  Ip,
  Uid,
  type Value,
  ValueSet,
} from '../../src/policy/eval/value.ts'
import type { Asked } from '../../src/policy/request.ts'
import { actionGroup } from '../../src/policy/schema.ts'
import type { Standing } from '../../src/policy/standing.ts'

/** A value of Cedar's JSON form; a `bigint` where JSON text held a number that is not a safe integer. */
export type Json =
  | boolean
  | number
  | bigint
  | string
  | readonly Json[]
  | { readonly [name: string]: Json }

/** A record of Cedar's JSON form. */
export type JsonFields = { readonly [name: string]: Json }

/** An entity of Cedar's JSON form. */
export type JsonEntity = {
  readonly uid: Json
  readonly attrs: JsonFields
  readonly parents: readonly Json[]
  readonly tags?: JsonFields
}

/** Parses JSON text with its integers exact. */
export function parseExactly(text: string): unknown {
  const exact = (_name: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === 'number' && !Number.isSafeInteger(value)
      ? BigInt(context?.source ?? '')
      : value
  return JSON.parse(text, exact)
}

/** A value; `__entity` and `__extn` are references and calls, as Cedar reads them. */
export function readValue(json: Json): Value {
  if (typeof json === 'bigint') {
    const long = fitted(json)
    if (long === null) throw new Error('The number has more than 64 bits.')
    return long
  }
  if (typeof json !== 'object') return json
  if (isList(json)) return new ValueSet(json.map(readValue))
  const { __entity, __extn } = json
  if (__entity !== undefined) return readUid(__entity)
  if (__extn !== undefined) return called(__extn)
  return readFields(json)
}

/** The fields of a record. */
export function readFields(json: JsonFields): Fields {
  return new Map(Object.entries(json).map(([name, value]) => [name, readValue(value)]))
}

/** An entity's name, with and without `__entity`. */
export function readUid(json: Json): Uid {
  if (typeof json !== 'object' || isList(json)) throw new Error('An entity has no name.')
  const { __entity, type, id } = json
  return __entity === undefined ? new Uid(String(type), String(id)) : readUid(__entity)
}

/** Entities with everything they are in, at any depth. */
export function readEntities(list: readonly JsonEntity[]): Entities {
  const parents = new Map(
    list.map((each) => [readUid(each.uid).key, each.parents.map((p) => readUid(p).key)]),
  )
  return new Map(
    list.map((each): [string, Entity] => {
      const { key } = readUid(each.uid)
      const ancestors = new Set<string>()
      const pending = [...(parents.get(key) ?? [])]
      for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
        if (ancestors.has(next)) continue
        ancestors.add(next)
        pending.push(...(parents.get(next) ?? []))
      }
      return [
        key,
        { attributes: readFields(each.attrs), tags: readFields(each.tags ?? {}), ancestors },
      ]
    }),
  )
}

function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json)
}

/** `{ fn: 'ip', arg: '::1' }`, also within another: to an expression of constants, and then to its value. */
function called(json: Json): Value {
  return compileExpression(callOf(json))(NOTHING)
}

function callOf(json: Json): unknown {
  if (typeof json !== 'object' || isList(json)) throw new Error('A call has no form.')
  const { fn, arg, args } = json
  const operands = arg === undefined ? args : [arg]
  if (typeof operands !== 'object' || !isList(operands)) throw new Error('A call has no operands.')
  return {
    [String(fn)]: operands.map((operand) => {
      const inner = typeof operand === 'object' && !isList(operand) ? operand['__extn'] : undefined
      return inner === undefined ? { Value: operand } : callOf(inner)
    }),
  }
}

const NOTHING = {
  principal: new Uid('', ''),
  action: new Uid('', ''),
  resource: new Uid('', ''),
  context: new Map(),
  entities: new Map(),
}

/** A request of ours as the official engine takes it, the action left out. */
export function writeRequest(
  { principal, resource, context, entities }: Asked,
  { above, offers, groups }: Standing,
): { principal: TypeAndId; resource: TypeAndId; context: Context; entities: EntityJson[] } {
  return {
    principal: writeUid(principal),
    resource: writeUid(resource),
    context: writeFields(context),
    entities: [
      {
        uid: writeUid(principal),
        attrs: writeFields(entities.get(principal.key)?.attributes ?? new Map()),
        parents: above.map(writeUid),
      },
      { uid: writeUid(resource), attrs: {}, parents: groups.map(writeUid) },
      ...[...offers.values()].map(({ action }) => ({
        uid: writeUid(action),
        attrs: {},
        parents: [actionGroup(action.id) ?? []].flat().map((id) => ({ type: 'Action', id })),
      })),
    ],
  }
}

function writeFields(fields: Fields): Record<string, CedarValueJson> {
  return Object.fromEntries([...fields].map(([name, value]) => [name, writeValue(value)]))
}

function writeUid({ type, id }: EntityRef): TypeAndId {
  return { type, id }
}

function writeValue(value: Value): CedarValueJson {
  if (typeof value === 'bigint')
    throw new Error('The official engine takes no such number from JavaScript.')
  if (typeof value !== 'object') return value
  if (value instanceof Uid) return { __entity: writeUid(value) }
  if (value instanceof ValueSet) return value.elements.map(writeValue)
  if (value instanceof Map) return writeFields(value)
  return { __extn: { fn: constructorOf(value), arg: written(value) } }
}

function constructorOf(value: Ip | Decimal | Datetime | Duration): string {
  if (value instanceof Ip) return 'ip'
  if (value instanceof Decimal) return 'decimal'
  return value instanceof Datetime ? 'datetime' : 'duration'
}
