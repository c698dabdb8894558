/**
 * Values as the hand-written cases write them: `"10.0.0.1"` for an address, `{ "type": …, "id": … }` for an
 * entity, wherever the schema says that it has to be one.
 */

import type { Cedar } from '../../src/policy/cedar.ts'
import type { Json, JsonEntity, JsonFields } from '../differential/json.ts'
import { readUid } from '../differential/json.ts'

/** Writes the escapes that a schema implies. */
export type Implied = {
  readonly entity: (entity: JsonEntity) => JsonEntity
  readonly context: (action: Json, context: JsonFields) => JsonFields
}

const CONSTRUCTORS: Readonly<Record<string, string>> = { ipaddr: 'ip' }

/** Reads a schema of Cedar's own syntax. */
export function implied(cedar: Cedar, schema: string): Implied {
  const answer = cedar.schemaToJsonWithResolvedTypes(schema)
  if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors))
  const spaces = Object.entries(answer.json)
  const typeOf = (part: 'entityTypes' | 'actions', name: string): unknown =>
    spaces.flatMap(([space, definitions]) => {
      const local = space === '' ? name : name.replace(`${space}::`, '')
      return field(definitions[part], local) ?? []
    })[0]
  return {
    entity: (entity) => {
      const definition = typeOf('entityTypes', readUid(entity.uid).type)
      return { ...entity, attrs: fields(entity.attrs, field(definition, 'shape')) }
    },
    context: (action, context) => {
      const definition = typeOf('actions', readUid(action).id)
      return fields(context, field(field(definition, 'appliesTo'), 'context'))
    },
  }
}

function fields(json: JsonFields, type: unknown): JsonFields {
  const attributes = field(type, 'attributes')
  return Object.fromEntries(
    Object.entries(json).map(([name, value]) => [name, escaped(value, field(attributes, name))]),
  )
}

function escaped(json: Json, type: unknown): Json {
  const kind = field(type, 'type')
  const name = String(field(type, 'name'))
  if (Array.isArray(json)) return json.map((item: Json) => escaped(item, field(type, 'element')))
  if (kind === 'Extension' && typeof json === 'string') {
    return { __extn: { fn: CONSTRUCTORS[name] ?? name, arg: json } }
  }
  if (typeof json !== 'object') return json
  const record = json as JsonFields
  if (kind === 'Entity' && record['__entity'] === undefined) return { __entity: record }
  return kind === 'Record' ? fields(record, type) : json
}

function field(json: unknown, name: string): unknown {
  if (typeof json !== 'object' || json === null) return undefined
  return Object.hasOwn(json, name) ? Reflect.get(json, name) : undefined
}
