/**
 * The head of a policy: whom, what and for what it speaks. Matching heads here is exact, not a guess: a
 * policy whose head does not match can neither permit nor forbid nor fail.
 */

import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { EntityRef } from '../identity.ts'
import { actionGroup } from './schema.ts'

/** A constraint on principal or resource. `is T in E` has both `type` and `in`. */
export type Constraint =
  | { readonly op: 'any' }
  | { readonly op: '=='; readonly entity: EntityRef }
  | { readonly op: 'in'; readonly entity: EntityRef; readonly type: string | null }
  | { readonly op: 'is'; readonly type: string }

/** The head of one policy. */
export type Head = {
  readonly effect: 'permit' | 'forbid'
  readonly principal: Constraint
  /** Ids of actions and action groups; null means every action. */
  readonly actions: readonly string[] | null
  readonly resource: Constraint
}

/** Reads the head off Cedar's JSON form. */
export function headOf(policy: PolicyJson): Head {
  return {
    effect: policy.effect,
    principal: constraint(policy.principal),
    actions: actionIds(policy.action),
    resource: constraint(policy.resource),
  }
}

type Json = PolicyJson['principal']
type Uid = { readonly __entity: EntityRef } | EntityRef

function constraint(json: Json): Constraint {
  if (json.op === 'is') {
    if (!json.in) return { op: 'is', type: json.entity_type }
    return { op: 'in', entity: reference(json.in), type: json.entity_type }
  }
  if (json.op === '==') return { op: '==', entity: reference(json) }
  if (json.op === 'in') return { op: 'in', entity: reference(json), type: null }
  return { op: 'any' }
}

function actionIds(json: PolicyJson['action']): string[] | null {
  if (json.op === 'All') return null
  if (json.op === '==') return [reference(json).id]
  return 'entities' in json ? json.entities.map((uid) => plain(uid).id) : [plain(json.entity).id]
}

function reference(json: { entity: Uid } | { slot: string }): EntityRef {
  // Templates never get here: the parser refuses them.
  if ('slot' in json) throw new Error('A template has no head.')
  return plain(json.entity)
}

function plain(uid: Uid): EntityRef {
  return '__entity' in uid ? uid.__entity : { type: uid.type, id: uid.id }
}

/**
 * Whether an entity satisfies a constraint.
 *
 * @param above everything the entity is in, at any depth
 */
export function matches(to: Constraint, entity: EntityRef, above: readonly EntityRef[]): boolean {
  if (to.op === 'any') return true
  if (to.op === 'is') return to.type === entity.type
  if (to.op === '==') return same(to.entity, entity)
  if (to.type !== null && to.type !== entity.type) return false
  return same(to.entity, entity) || above.some((container) => same(to.entity, container))
}

/** Whether a policy speaks about an action. */
export function names(head: Head, action: string): boolean {
  if (head.actions === null || head.actions.includes(action)) return true
  const group = actionGroup(action)
  return group !== null && head.actions.includes(group)
}

function same(a: EntityRef, b: EntityRef): boolean {
  return a.type === b.type && a.id === b.id
}
