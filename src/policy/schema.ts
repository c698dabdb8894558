/** The Cedar schema of an installation: fixed types plus one name for each scope, zone and calendar. */

import type { Attribute } from './attributes.ts'
import { CONTAINERS, PRINCIPALS, parents, type Tree, tree, USER } from './principals.ts'
import { quote } from './scan.ts'
import type { PolicySettings } from './settings.ts'

/** The action asked when a request names no scope. No resource may offer a scope of this name. */
export const ISSUE = 'issue'

/** Actions that are not scopes: what else a request may do, beside what it asks for. */
export const OPERATIONS: readonly string[] = [ISSUE, 'exchange', 'delegate']

/** The action group of a scope: `trades:*` for `trades:read`; null where the scope has no prefix. */
export function actionGroup(action: string): string | null {
  const colon = action.indexOf(':')
  return colon > 0 ? `${action.slice(0, colon)}:*` : null
}

/** Every action an installation knows: each scope of each audience, then the operations. Sorted. */
export function actions(settings: PolicySettings): string[] {
  const scopes = settings.audiences.flatMap(({ scopes }) => scopes)
  return [...new Set([...scopes, ...OPERATIONS])].sort()
}

/** Less than the whole schema. Cedar reads it anew at each call, which costs more than checking a policy. */
export type SchemaParts = {
  /** The actions to declare. */
  readonly actions: readonly string[]
  /** The principal types that actions apply to; the others but people have no attributes, and nothing is explained. */
  readonly principals: readonly string[]
}

/**
 * Writes the schema in Cedar's own syntax.
 *
 * @param only less than everything, for a schema that is checked against faster
 * @throws Error where a zone or calendar bears a name that Cedar reserves
 */
export function schema(settings: PolicySettings, only?: SchemaParts): string {
  const names = [...settings.zones, ...settings.calendars.map(({ name }) => name)]
  // `__entity` and `__extn` as record keys turn data into references and calls (policy.md §6.4).
  const reserved = names.find((name) => name.startsWith('__'))
  if (reserved !== undefined) throw new Error(`A zone or calendar cannot be named ${reserved}.`)
  const principals = only?.principals ?? Object.keys(PRINCIPALS)
  const described = [...principals, USER]
  const text = [
    '// Written by `countersign policy schema` from the configuration. Do not edit.',
    '// Grades: A signed by the platform, B read by us from it, C a node says so of itself, D tenant-set.',
    '',
    ...Object.entries(CONTAINERS).map(
      ([name, row]) => `@doc(${quote(row.doc)})\n${entity(name, row.in)}`,
    ),
    ...Object.entries(PRINCIPALS).map(([name, row]) => {
      const attributes = described.includes(name) ? tree(row.attributes) : undefined
      return `@doc(${quote(row.doc)})\n${entity(name, parents(row), attributes)}`
    }),
    context(settings),
    '',
    ...appliesTo(only?.actions ?? actions(settings), principals),
    '',
  ].join('\n')
  return only ? text.replace(EXPLANATIONS, '') : text
}

/** The annotations above; a configured name cannot look like one, for its quotes are escaped. */
const EXPLANATIONS = /@(doc|grade)\("(?:[^"\\]|\\.)*"\)\s*/g

/** One declaration for each group, whose actions are alike. */
function appliesTo(declared: readonly string[], principals: readonly string[]): string[] {
  const groups = Map.groupBy(declared, actionGroup)
  const names = [...groups.keys()].filter((group) => group !== null)
  return [
    ...(names.length > 0 ? [`action ${names.map(quote).join(', ')};`] : []),
    ...[...groups].map(([group, members]) =>
      [
        `action ${members.map(quote).join(', ')}${group === null ? '' : ` in [${quote(group)}]`} appliesTo {`,
        `  principal: [${principals.join(', ')}],`,
        '  resource: [Audience],',
        '  context: Asked,',
        '};',
      ].join('\n'),
    ),
  ]
}

function entity(name: string, parents: readonly string[], attributes?: Tree<Attribute>): string {
  const within = parents.length > 0 ? ` in [${parents.join(', ')}]` : ''
  const body = attributes ? ` = ${record(attributes, 1)}` : ''
  return `entity ${name}${within}${body};`
}

function record(level: Tree<Attribute>, depth: number): string {
  const indent = '  '.repeat(depth)
  const lines = [...level].flatMap(([name, leaf]) =>
    leaf instanceof Map
      ? [`${indent}${quote(name)}?: ${record(leaf, depth + 1)},`]
      : [
          `${indent}@grade("${leaf.grade}") @doc(${quote(`Grade ${leaf.grade}. ${leaf.doc}`)})`,
          `${indent}${quote(name)}${leaf.required ? '' : '?'}: ${leaf.type},`,
        ],
  )
  return `{\n${lines.join('\n')}\n${'  '.repeat(depth - 1)}}`
}

/** The fields of `context`: only what the broker itself observed, never what a caller said. */
const OBSERVED: readonly (readonly [name: string, type: string, doc: string])[] = [
  ['time', 'datetime', 'The instant of the decision.'],
  ['now', 'Now', 'Local time by zone.'],
  ['calendar', 'Calendar', 'Whether today is in the calendar, in its own zone.'],
  ['sourceIp?', 'ipaddr', 'The caller, after the trusted proxies.'],
  ['geo?', 'Geo', 'Where the caller’s address is, where the database knows it.'],
  ['operation', 'String', '"issue", "exchange" or "delegate".'],
  ['sender', 'String', 'How the token will be bound: "bearer", "dpop" or "mtls".'],
  ['requestedTtl', 'Long', 'Lifetime before any @ttl, seconds.'],
  ['attestationAge', 'Long', 'Seconds since the evidence was issued.'],
  ['delegationDepth', 'Long', 'How many actors came before.'],
  ['subject', 'String', 'Canonical URI of the token’s `sub`.'],
  ['user?', USER, 'The person that the actor acts for.'],
  [
    'chain',
    'Set<String>',
    'Canonical URIs of the actors before this one. Only a forbid may read it.',
  ],
]

function context(settings: PolicySettings): string {
  const zones = settings.zones.map((zone) => `  ${quote(zone)}: Moment,`)
  const calendars = settings.calendars.map(({ name }) => `  ${quote(name)}: Bool,`)
  const fields = OBSERVED.map(([name, type, doc]) => `  @doc(${quote(doc)})\n  ${name}: ${type},`)
  return [
    '@doc("Local time: weekday 1 (Monday) to 7, time since local midnight by the clock, ISO date.")',
    'type Moment = { weekday: Long, timeOfDay: duration, date: String };',
    '@doc("Country as DE, continent as EU, autonomous system, and the age of the database in days.")',
    'type Geo = { country: String, continent: String, asn?: Long, ageDays: Long };',
    `type Now = {\n${zones.join('\n')}\n};`,
    `type Calendar = {\n${calendars.join('\n')}\n};`,
    `type Asked = {\n${fields.join('\n')}\n};`,
  ].join('\n')
}
