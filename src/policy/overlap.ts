/**
 * Policies that have no effect because of another one: a permit or forbid that repeats part of a broader
 * one, a permit under a forbid that always applies with it. Judged by syntax alone: what is reported is
 * so; what is not reported may be so all the same.
 */

import type { EntityRef } from '../identity.ts'
import type { Clauses } from './clauses.ts'
import type { Constraint, Head } from './head.ts'
import { discreet, type Format, type Sender, satisfies } from './question.ts'
import { entityText } from './scan.ts'
import { actionGroup } from './schema.ts'
import type { PolicySettings } from './settings.ts'
import { giveWay, inTurns } from './turns.ts'

/** What of a policy the comparison needs. */
export type Outline = {
  readonly id: string
  /** Where it is found: see `outlineKey`. */
  readonly key: string
  /** `path:line`, for people. */
  readonly at: string
  readonly head: Head
  readonly clauses: Clauses
  readonly mode: 'enforce' | 'report'
  readonly expires: number | null
  readonly ttl: number | null
  readonly sender: Sender | null
  readonly format: Format | null
}

/** `policy` has no effect, because of `by`. */
export type Overlap<Policy extends Outline> = { readonly policy: Policy; readonly by: Policy }

/** How many broader policies one is compared with; the rest is given the benefit of the doubt. */
const COMPARED = 500
/** What looking at one policy weighs against reading its text. */
const WEIGHT = 400

/** Every policy that another one makes void, with the first such other. */
export async function overlaps<Policy extends Outline>(
  policies: readonly Policy[],
  settings: PolicySettings,
): Promise<Overlap<Policy>[]> {
  const found: Overlap<Policy>[] = []
  const above = containment(settings)
  const enforced = policies.filter(({ mode }) => mode === 'enforce')
  const index = Map.groupBy(enforced, ({ key }) => key)
  const order = new Map(enforced.map((policy, position) => [policy, position]))
  const precedes = (a: Policy, b: Policy) => (order.get(a) ?? 0) < (order.get(b) ?? 0)
  await giveWay()
  await inTurns(
    enforced,
    () => WEIGHT,
    (policy) => {
      const broader = keysAround(policy.head.principal, above).flatMap((at) => index.get(at) ?? [])
      const by = broader.slice(0, COMPARED).find((other) => {
        if (other === policy || !voids(other, policy, above)) return false
        // Of two that say the same the first one stays.
        return precedes(other, policy) || !voids(policy, other, above)
      })
      if (by) found.push({ policy, by })
    },
  )
  return found
}

function voids(other: Outline, policy: Outline, above: Containment): boolean {
  if (other.head.effect === 'permit' && policy.head.effect === 'forbid') return false
  return (
    outlives(other, policy) &&
    (other.head.effect === 'forbid' || asStrict(other, policy)) &&
    covers(other.head, policy.head, above) &&
    [...other.clauses.terms].every((term) => policy.clauses.terms.has(term))
  )
}

function outlives(other: Outline, policy: Outline): boolean {
  if (other.expires === null) return true
  return policy.expires !== null && policy.expires <= other.expires
}

/** Whether the obligations of `other` are at least those of `policy`, which then adds none. */
function asStrict(other: Outline, policy: Outline): boolean {
  const ttl = policy.ttl === null || (other.ttl !== null && other.ttl <= policy.ttl)
  const sender =
    policy.sender === null || (other.sender !== null && satisfies(other.sender, policy.sender))
  const format =
    policy.format === null || (other.format !== null && discreet(other.format, policy.format))
  return ttl && sender && format
}

/** What an entity is in by its id and the configuration, at any depth. */
type Containment = (entity: EntityRef) => readonly EntityRef[]

function containment(settings: PolicySettings): Containment {
  const direct = new Map<string, EntityRef[]>()
  const put = (inner: EntityRef, outer: EntityRef) => {
    const text = entityText(inner)
    direct.set(text, [...(direct.get(text) ?? []), outer])
  }
  for (const { entity, environment } of settings.anchors) {
    if (environment !== null) put(entity, { type: 'Environment', id: environment })
  }
  for (const { name, members } of settings.groups) {
    for (const member of members) put(member, { type: 'Group', id: name })
  }
  for (const { audience, groups } of settings.audiences) {
    for (const id of groups) put({ type: 'Audience', id: audience }, { type: 'AudienceGroup', id })
  }
  const above: Containment = (entity) => {
    const outer = [...(direct.get(entityText(entity)) ?? []), ...outward(entity)]
    return outer.flatMap((each) => [each, ...above(each)])
  }
  return above
}

/** The container that a Kubernetes id itself names. */
function outward({ type, id }: EntityRef): EntityRef[] {
  const outer = id.slice(0, id.lastIndexOf('/'))
  if (type === 'ServiceAccount') return [{ type: 'Namespace', id: outer }]
  return type === 'Namespace' ? [{ type: 'Cluster', id: outer }] : []
}

function covers(wide: Head, narrow: Head, above: Containment): boolean {
  return (
    contains(wide.principal, narrow.principal, above) &&
    contains(wide.resource, narrow.resource, above) &&
    (wide.actions === null ||
      (narrow.actions?.every((action) => includes(wide.actions, action)) ?? false))
  )
}

function includes(actions: readonly string[] | null, action: string): boolean {
  const group = actionGroup(action)
  return actions === null || actions.includes(action) || (!!group && actions.includes(group))
}

function contains(wide: Constraint, narrow: Constraint, above: Containment): boolean {
  if (wide.op === 'any') return true
  if (narrow.op === 'any') return false
  const type = narrow.op === '==' ? narrow.entity.type : narrow.type
  if (wide.op === 'is') return wide.type === type
  if (narrow.op === 'is') return false
  const inner = entityText(narrow.entity)
  if (wide.op === '==') return narrow.op === '==' && entityText(wide.entity) === inner
  if (wide.type !== null && wide.type !== type) return false
  const outer = entityText(wide.entity)
  return outer === inner || above(narrow.entity).some((each) => entityText(each) === outer)
}

/** Names the principal constraint of a head. */
export function outlineKey(constraint: Constraint): string {
  if (constraint.op === 'any') return 'any'
  if (constraint.op === 'is') return `is ${constraint.type}`
  return `${constraint.op} ${entityText(constraint.entity)}`
}

/** The keys under which a constraint at least as broad can be. */
function keysAround(narrow: Constraint, above: Containment): string[] {
  if (narrow.op === 'any') return ['any']
  if (narrow.op === 'is') return ['any', outlineKey(narrow)]
  const type = narrow.op === '==' ? narrow.entity.type : narrow.type
  const containers = [narrow.entity, ...above(narrow.entity)].map(
    (each) => `in ${entityText(each)}`,
  )
  return ['any', `is ${type}`, `== ${entityText(narrow.entity)}`, ...new Set(containers)]
}
