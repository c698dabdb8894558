/** A workload as a test names it: its Cedar principal and the facts that matter, completed to a Party. */

import type { EntityRef, Fact } from '../identity.ts'
import { CONTAINERS, PRINCIPALS } from '../policy/principals.ts'
import type { Party } from '../policy/question.ts'
import type { PolicySettings } from '../policy/settings.ts'
import { didYouMean } from '../suggest.ts'

/** The parts of an id are facts too. Every other type is `<entry>/<subject>`. */
const FACTS_IN_ID: Readonly<Record<string, RegExp>> = {
  ServiceAccount: /^(?<cluster>[^/]+)\/(?<namespace>[^/]+)\/(?<name>[^/]+)$/,
  AwsRole: /^(?<account>[^/]+)\/(?<role>[^/]+)$/,
  AzureIdentity: /^(?<tenant>[^/]+)\/(?<objectId>[^/]+)$/,
  GcpServiceAccount: /^(?<uniqueId>.+)$/,
  SpiffeWorkload: /^spiffe:\/\/(?<trustDomain>[^/]+)(?<path>.*)$/,
  User: /^(?<provider>[^/]+)\/(?<subject>.+)$/s,
}
const ENTRY_AND_SUBJECT = /^(?<entry>[^/]+)\/(?<subject>.+)$/s

/** What stands for a fact that is always known and that a test leaves out: no policy can expect it. */
const UNSTATED = '(unstated)'

/** Reads `ServiceAccount::"prod-eu/payments/settlement"`; a text is what is wrong with it. */
export function readPrincipal(text: string, settings: PolicySettings): EntityRef | string {
  const [, type = '', id = ''] = /^(\w+)::"([^"\\]*)"$/.exec(text) ?? []
  const row = Object.hasOwn(PRINCIPALS, type) ? PRINCIPALS[type] : undefined
  if (row === undefined) {
    const hint = didYouMean(type, Object.keys(PRINCIPALS))
    return `is ${JSON.stringify(text)}, not a principal such as ServiceAccount::"cluster/namespace/name"${hint}`
  }
  const match = row.id.pattern.exec(id)
  if (match === null)
    return `is ${JSON.stringify(text)}, but a ${type} is ${type}::"${row.id.form}"`
  const root = match.groups?.['root']
  if (row.id.root === null || root === undefined) return { type, id }
  const known = settings.anchors.filter(({ entity }) => entity.type === row.id.root)
  // Policies may be written, and tested, before the platform is trusted: see `isProved`.
  if (known.length === 0) return { type, id }
  const ids = known.map(({ entity }) => entity.id)
  if (ids.includes(root)) return { type, id }
  return `names the ${row.id.root} ${JSON.stringify(root)}, for which no trust entry vouches${didYouMean(root, ids)}`
}

/** Whether any trust entry can prove a principal of this type. */
export function isProved(type: string, settings: PolicySettings): boolean {
  const root = PRINCIPALS[type]?.id.root ?? null
  return root === null || settings.anchors.some(({ entity }) => entity.type === root)
}

/** What is wrong with a fact, as the end of a sentence; null when nothing is. */
export function factFault(type: string, name: string, value: unknown): string | null {
  const attributes = PRINCIPALS[type]?.attributes ?? {}
  const attribute = Object.hasOwn(attributes, name) ? attributes[name] : undefined
  if (attribute === undefined) {
    return `is no fact of a ${type}${didYouMean(name, Object.keys(attributes))}`
  }
  const fits = {
    String: typeof value === 'string',
    Long: Number.isSafeInteger(value),
    Bool: typeof value === 'boolean',
    'Set<String>': Array.isArray(value) && value.every((item) => typeof item === 'string'),
  }[attribute.type]
  return fits ? null : `is not a ${attribute.type}`
}

/**
 * Completes a principal to a Party: what it is in and what its id says follows from the id.
 *
 * @param stated facts that `factFault` accepts
 * @param at when they were observed, epoch seconds
 */
export function partyOf(
  principal: EntityRef,
  stated: Readonly<Record<string, Fact['value']>>,
  settings: PolicySettings,
  at: number,
): Party {
  const { type, id } = principal
  const row = PRINCIPALS[type]
  if (row === undefined) throw new Error(`no principal type ${type}`)
  const root = row.id.pattern.exec(id)?.groups?.['root']
  const anchor = settings.anchors.find(
    ({ entity }) => entity.type === row.id.root && entity.id === root,
  )
  const implied = { ...(FACTS_IN_ID[type] ?? ENTRY_AND_SUBJECT).exec(id)?.groups }
  const values: Record<string, Fact['value']> = { ...implied, ...stated }
  const facts: Record<string, Fact> = {}
  for (const [name, { required, type: kind, grade }] of Object.entries(row.attributes)) {
    const record = name.slice(0, name.lastIndexOf('.') + 1)
    const expected = Object.keys(values).some((other) => other.startsWith(record))
    const missing = required && expected && kind === 'String' ? UNSTATED : undefined
    const value = values[name] ?? missing
    if (value !== undefined) facts[name] = { value, grade, source: 'test', observedAt: at }
  }
  return {
    kind: row.kind,
    trust: anchor?.trust ?? row.kind,
    uri: uriOf(row.kind, id),
    principal,
    ancestry: row.ancestry.map((container) => ({ type: container, id: innerId(container, id) })),
    facts,
  }
}

/** The id of a container is the beginning of the ids in it. */
function innerId(container: string, id: string): string {
  const parts = CONTAINERS[container]?.id?.form.split('/').length ?? 1
  return id.split('/').slice(0, parts).join('/')
}

/** The canonical URI of a workload, as its attestor writes it. */
function uriOf(kind: string, id: string): string {
  const [first = '', ...rest] = id.split('/')
  switch (kind) {
    case 'kubernetes':
      return `k8s://${first}/ns/${rest[0]}/sa/${rest[1]}`
    case 'aws':
      return `aws://aws/${first}/role/${rest[0]}`
    case 'azure':
      return `azure://${first}/sp/${rest[0]}`
    case 'gcp':
      return `gcp://sa/${id}`
    case 'spiffe':
      return id
    case 'users':
      return `user://${id}`
    default:
      return `${kind}://${id}`
  }
}
