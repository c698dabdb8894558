/** The Cedar schema of an installation: fixed types plus one name for each scope, zone and calendar. */

import {
  type Attribute,
  CONTAINERS,
  ENVIRONMENT,
  GROUP,
  PRINCIPALS,
  type Tree,
  tree,
} from './principals.ts'
import { quote } from './scan.ts'
import type { PolicySettings } from './settings.ts'

/** The action asked when a request names no scope. No resource may offer a scope of this name. */
export const ISSUE = 'issue'

/** Every action an installation knows: each scope of each audience, then `issue`. Sorted. */
export function actions(settings: PolicySettings): string[] {
  const scopes = settings.audiences.flatMap(({ scopes }) => scopes)
  return [...new Set([...scopes, ISSUE])].sort()
}

/**
 * Writes the schema in Cedar's own syntax.
 *
 * @param only the actions to declare, for a smaller schema; all of them by default
 * @throws Error where a zone or calendar bears a name that Cedar reserves
 */
export function schema(
  settings: PolicySettings,
  only: readonly string[] = actions(settings),
): string {
  const names = [...settings.zones, ...settings.calendars.map(({ name }) => name)]
  // `__entity` and `__extn` as record keys turn data into references and calls (policy.md §6.4).
  const reserved = names.find((name) => name.startsWith('__'))
  if (reserved !== undefined) throw new Error(`A zone or calendar cannot be named ${reserved}.`)
  return [
    '// Written by `countersign policy schema` from the configuration. Do not edit.',
    '// Grades: A signed by the platform, B read by us from it, C a node says so of itself, D tenant-set.',
    '',
    ...Object.entries(CONTAINERS).map(([name, row]) => entity(name, row.in)),
    ...Object.entries(PRINCIPALS).map(
      ([name, row]) =>
        `@doc(${quote(row.doc)})\n${entity(name, [...row.ancestry.slice(0, 1), GROUP], tree(row.attributes))}`,
    ),
    '@doc("What a token is for: a resource of the configuration.")\nentity Audience;',
    '',
    context(settings),
    '',
    `action ${only.map(quote).join(', ')} appliesTo {`,
    `  principal: [${Object.keys(PRINCIPALS).join(', ')}],`,
    '  resource: [Audience],',
    '  context: Asked,',
    '};',
    '',
  ].join('\n')
}

function entity(name: string, parents: readonly string[], attributes?: Tree<Attribute>): string {
  const within = parents.length > 0 ? ` in [${parents.join(', ')}]` : ''
  const body = attributes ? ` = ${record(attributes, 1)}` : ''
  const hint = name === ENVIRONMENT ? '@doc("From `environment` of a trust entry.")\n' : ''
  return `${hint}entity ${name}${within}${body};`
}

function record(level: Tree<Attribute>, depth: number): string {
  const indent = '  '.repeat(depth)
  const lines = [...level].flatMap(([name, leaf]) =>
    leaf instanceof Map
      ? [`${indent}${quote(name)}?: ${record(leaf, depth + 1)},`]
      : [
          `${indent}@grade("${leaf.grade}") @doc(${quote(leaf.doc)})`,
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
  ['operation', 'String', '"issue", "exchange" or "delegate".'],
  ['sender', 'String', 'How the token will be bound: "bearer", "dpop" or "mtls".'],
  ['requestedTtl', 'Long', 'Lifetime before any @ttl, seconds.'],
  ['attestationAge', 'Long', 'Seconds since the evidence was issued.'],
  ['delegationDepth', 'Long', 'How many actors came before.'],
  ['subject', 'String', 'Canonical URI of the token’s `sub`.'],
]

function context(settings: PolicySettings): string {
  const zones = settings.zones.map((zone) => `  ${quote(zone)}: Moment,`)
  const calendars = settings.calendars.map(({ name }) => `  ${quote(name)}: Bool,`)
  const fields = OBSERVED.map(([name, type, doc]) => `  @doc(${quote(doc)})\n  ${name}: ${type},`)
  return [
    '@doc("Local time: weekday 1 (Monday) to 7, time since local midnight by the clock, ISO date.")',
    'type Moment = { weekday: Long, timeOfDay: duration, date: String };',
    `type Now = {\n${zones.join('\n')}\n};`,
    `type Calendar = {\n${calendars.join('\n')}\n};`,
    `type Asked = {\n${fields.join('\n')}\n};`,
  ].join('\n')
}
