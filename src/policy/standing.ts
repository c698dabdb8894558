/**
 * Where an actor stands before one audience: all that is the same for every request of theirs under one
 * Generation. Worked out once, then remembered.
 */

import type { EntityRef } from '../identity.ts'
import type { Part } from './eval/compile.ts'
import type { Entities, Entity } from './eval/entities.ts'
import { Uid } from './eval/value.ts'
import type { Generation } from './generation.ts'
import { type Head, matches } from './head.ts'
import { PRINCIPALS } from './principals.ts'
import type { Party } from './question.ts'
import { entityText } from './scan.ts'
import { actionGroup, OPERATIONS } from './schema.ts'
import { type Offer, offer, seat } from './seats.ts'

/** A Question that does not fit the schema. It is denied, never evaluated in part. */
export class Misfit extends Error {}

/** See above. */
export type Standing = {
  readonly principal: Uid
  readonly resource: Uid
  /** Everything the principal is in, at any depth: its platform's containers, environment and groups. */
  readonly above: readonly EntityRef[]
  /** The same, as the evaluator asks for it. */
  readonly ancestors: ReadonlySet<string>
  /** What the audience is in. */
  readonly groups: readonly EntityRef[]
  /** Every entity that is known besides the principal. */
  readonly around: Entities
  /** The conditions of all seats. One that several policies share is there once. */
  readonly parts: readonly Part[]
  /** What the audience offers, the operations included, by name. */
  readonly offers: ReadonlyMap<string, Offer>
}

/**
 * The standing of an actor.
 *
 * @throws Misfit for a principal type or an ancestry that the schema does not have: groups and
 *   environments come from the configuration alone, whatever a Party says
 */
export function standingOf(actor: Party, audience: string, generation: Generation): Standing {
  return generation.standings.recall(keyOf(actor, audience), () =>
    stand(actor, audience, generation),
  )
}

/** Different for every actor and audience that differ in anything that a standing is made of. */
function keyOf({ principal, trust, ancestry }: Party, audience: string): string {
  let key = part(principal.type) + part(principal.id) + part(trust) + part(audience)
  for (const { type, id } of ancestry) key += part(type) + part(id)
  return key
}

function part(name: unknown): string {
  // INVARIANT: only strings make a key: a list of one string would read like that string.
  if (typeof name !== 'string' || !name.isWellFormed()) throw new Misfit('a name is not a string')
  return `${name.length} ${name}`
}

function stand(actor: Party, audience: string, generation: Generation): Standing {
  const ancestry = ancestryOf(actor)
  const outermost = ancestry.at(-1)
  // What is in no container is placed by the trust entry that vouches for it.
  const anchor = outermost ? entityText(outermost) : actor.trust
  const environment = generation.environments.get(anchor)
  const containers = environment ? [...ancestry, environment] : ancestry
  const above = [...containers, ...(generation.groups.get(entityText(actor.principal)) ?? [])]
  const groups = generation.audienceGroups.get(audience) ?? []

  const principal = uidOf(actor.principal)
  const resource = new Uid('Audience', audience)
  const scopes = [...(generation.offers.get(audience) ?? [])]
  // An audience that is not configured offers nothing, not even a token without scopes.
  const offered = generation.offers.has(audience) ? [...scopes, ...OPERATIONS] : []
  const slice = keysOf(principal, above)
    .flatMap((key) => generation.index.get(key) ?? [])
    .filter(
      ({ head }) =>
        matches(head.principal, principal, above) && matches(head.resource, resource, groups),
    )
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  const seating = seat(slice, generation.parts)
  const around = new Map([
    ...ancestry.map((entity, index) => entry(entity, containers.slice(index + 1))),
    entry(resource, groups),
    ...offered.map((name) => entry(actionOf(name), groupsOf(name))),
  ])
  const entities = new Map([...around, entry(principal, above)])
  const offers = offered.map((name): [string, Offer] => {
    const action = actionOf(name)
    return [name, offer(seating, { principal, action, resource, context: new Map(), entities })]
  })
  return {
    principal,
    resource,
    above,
    ancestors: keys(above),
    groups,
    around,
    parts: seating.parts,
    offers: new Map(offers),
  }
}

function ancestryOf(actor: Party): EntityRef[] {
  const row = Object.hasOwn(PRINCIPALS, actor.principal.type) && PRINCIPALS[actor.principal.type]
  if (!row) throw new Misfit(`no principal type ${actor.principal.type}`)
  const ancestry = actor.ancestry.map(({ type, id }) => ({ type, id }))
  if (ancestry.map(({ type }) => type).join() !== row.ancestry.join()) {
    throw new Misfit(`a ${actor.principal.type} is in ${row.ancestry.join(', ')}`)
  }
  return ancestry
}

/** Where a policy is found in the index; `keysOf` lists where to look for a principal. */
export function headKey({ principal }: Head): string {
  if (principal.op === 'any') return ANYONE
  if (principal.op === 'is') return `is ${principal.type}`
  return `${principal.op} ${entityText(principal.entity)}`
}

const ANYONE = 'anyone'

/** Every key of the index under which a policy about a principal can be. */
function keysOf(principal: EntityRef, above: readonly EntityRef[]): string[] {
  return [
    ANYONE,
    `is ${principal.type}`,
    `== ${entityText(principal)}`,
    ...[principal, ...above].map((entity) => `in ${entityText(entity)}`),
  ]
}

function entry(of: EntityRef, above: readonly EntityRef[]): [string, Entity] {
  return [uidOf(of).key, { attributes: new Map(), tags: new Map(), ancestors: keys(above) }]
}

function keys(entities: readonly EntityRef[]): ReadonlySet<string> {
  return new Set(entities.map((each) => uidOf(each).key))
}

function actionOf(name: string): Uid {
  return new Uid('Action', name)
}

function groupsOf(action: string): Uid[] {
  const group = actionGroup(action)
  return group === null ? [] : [actionOf(group)]
}

function uidOf({ type, id }: EntityRef): Uid {
  return new Uid(type, id)
}
