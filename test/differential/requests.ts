/** Entities and requests of the differential tests: a small hierarchy, attributes that come and go. */

import { ATTRIBUTES, TAGS } from './grammar.ts'
import type { Json, JsonEntity, JsonFields } from './json.ts'
import { DATETIMES, DECIMALS, DURATIONS, IPS, STRINGS, TYPES, type Type } from './literals.ts'
import type { Random } from './random.ts'

/** A request in Cedar's JSON form. */
export type JsonRequest = {
  readonly principal: Named
  readonly action: Named
  readonly resource: Named
  readonly context: JsonFields
  readonly entities: readonly JsonEntity[]
}

type Named = { readonly type: string; readonly id: string }

const user = (id: string): Named => ({ type: 'User', id })
const PEOPLE = ['alice', 'bob', 'carol', 'nobody']

/** A request. `nobody` is never a known entity. */
export function request(by: Random): JsonRequest {
  return {
    principal: user(by.pick(PEOPLE)),
    action: { type: 'Action', id: by.pick(['read', 'write']) },
    resource: user(by.pick(PEOPLE)),
    context: attributes(by),
    entities: entities(by),
  }
}

function entities(by: Random): JsonEntity[] {
  const org = { type: 'Org', id: 'all' }
  const teams = ['red', 'blue'].map((id) => ({ type: 'Team', id }))
  const known = (uid: Named, parents: Named[]): JsonEntity => ({ uid, attrs: {}, parents })
  return [
    ...PEOPLE.slice(0, 3).map((id) => ({
      uid: user(id),
      attrs: attributes(by),
      parents: teams.filter(() => by.chance(0.4)),
      tags: Object.fromEntries(
        Object.entries(TAGS)
          .filter(() => by.chance(0.7))
          .map(([name, type]) => [name, value(type, by)]),
      ),
    })),
    ...teams.filter(() => by.chance(0.9)).map((team) => known(team, by.chance(0.8) ? [org] : [])),
    known({ type: 'Action', id: 'read' }, [{ type: 'Action', id: 'all' }]),
    known({ type: 'Action', id: 'all' }, []),
  ]
}

function attributes(by: Random): JsonFields {
  return Object.fromEntries(
    TYPES.filter(() => by.chance(0.85)).map((type) => [ATTRIBUTES[type], value(type, by)]),
  )
}

function value(type: Type, by: Random): Json {
  const call = (fn: string, from: readonly string[], good: number): Json => ({
    __extn: { fn, arg: by.pick(from.slice(0, good)) },
  })
  const several = (item: Type): Json => Array.from({ length: by.below(4) }, () => value(item, by))
  switch (type) {
    case 'Bool':
      return by.chance(0.5)
    case 'Long':
      return by.chance(0.7)
        ? by.below(7) - 3
        : by.pick([2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 32, 1000])
    case 'String':
      return by.pick(STRINGS)
    case 'User':
      return { __entity: user(by.pick(PEOPLE)) }
    case 'Team':
      return { __entity: { type: 'Team', id: by.pick(['red', 'blue', 'gone']) } }
    case 'Ip':
      return call('ip', IPS, 23)
    case 'Decimal':
      return call('decimal', DECIMALS, 13)
    case 'Datetime':
      return call('datetime', DATETIMES, 14)
    case 'Duration':
      return call('duration', DURATIONS, 20)
    case 'Longs':
      return several('Long')
    case 'Strings':
      return several('String')
    case 'Users':
      return several('User')
    case 'Record':
      return by.chance(0.3)
        ? { zip: value('Long', by) }
        : { city: value('String', by), zip: value('Long', by) }
  }
}
