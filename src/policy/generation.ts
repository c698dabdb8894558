/** The Generation: policies with the configuration they lean on, compiled once and swapped whole. */

import { createHash } from 'node:crypto'
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { EntityRef } from '../identity.ts'
import { annotationsOf, senderOf, ttlSeconds } from './annotations.ts'
import { type Calendar, calendar } from './calendar.ts'
import { createEngine, type Engine } from './engine.ts'
import { type Head, headOf } from './head.ts'
import { type Needs, needsOf } from './needs.ts'
import type { Sender } from './question.ts'
import { entityText } from './scan.ts'
import type { PolicySettings } from './settings.ts'
import type { Piece } from './split.ts'
import { type Clock, clock } from './zone.ts'

/** One policy that was validated. */
export type Policy = {
  readonly id: string
  readonly effect: 'permit' | 'forbid'
  readonly owner: string | null
  readonly description: string | null
  readonly ticket: string | null
  readonly path: string
  readonly line: number
  readonly column: number
  readonly text: string
  /** `@ttl` in seconds. */
  readonly ttl: number | null
  readonly sender: Sender | null
  readonly head: Head
  readonly needs: Needs
}

/** Everything `decide` needs besides the Question. */
export type Generation = {
  /** Names policies and settings: equal ids decide alike. */
  readonly id: string
  readonly settings: PolicySettings
  /** By id, in the order of the files. */
  readonly policies: ReadonlyMap<string, Policy>
  /** Policies by the principal constraint of their head (see `headKey`). */
  readonly index: ReadonlyMap<string, readonly Policy[]>
  /** Scopes by audience. */
  readonly offers: ReadonlyMap<string, ReadonlySet<string>>
  /** Groups by the entity text of a member. */
  readonly groups: ReadonlyMap<string, readonly EntityRef[]>
  /** Environments by the entity text of an anchor. */
  readonly environments: ReadonlyMap<string, EntityRef>
  readonly clocks: ReadonlyMap<string, Clock>
  readonly calendars: ReadonlyMap<string, Calendar>
  readonly engine: Engine
}

/** A policy that passed the worker and the lint. */
export type Accepted = { readonly piece: Piece; readonly json: PolicyJson }

/**
 * Compiles accepted policies. The caller vouches that they were validated against these settings.
 *
 * @param engine a fresh engine; no two generations may share one
 * @throws RangeError for a zone that the runtime does not know
 */
export function compile(
  accepted: readonly Accepted[],
  settings: PolicySettings,
  engine: Engine = createEngine(),
): Generation {
  const policies = accepted.map(policyOf)
  return {
    id: fingerprint(policies, settings),
    settings,
    policies: new Map(policies.map((policy) => [policy.id, policy])),
    index: grouped(policies.map((policy) => [headKey(policy.head), policy])),
    offers: new Map(settings.audiences.map(({ audience, scopes }) => [audience, new Set(scopes)])),
    groups: grouped(
      settings.groups.flatMap(({ name, members }) =>
        members.map((member) => [entityText(member), { type: 'Group', id: name }]),
      ),
    ),
    environments: new Map(
      settings.anchors.flatMap(({ entity, environment: id }) =>
        id === null ? [] : [[entityText(entity), { type: 'Environment', id }]],
      ),
    ),
    clocks: new Map(settings.zones.map((zone) => [zone, clock(zone)])),
    calendars: new Map(settings.calendars.map((each) => [each.name, calendar(each)])),
    engine,
  }
}

/** Where a policy is found in the index; `keysOf` lists where to look for a principal. */
function headKey({ principal }: Head): string {
  if (principal.op === 'any') return ANYONE
  if (principal.op === 'is') return `is ${principal.type}`
  return `${principal.op} ${entityText(principal.entity)}`
}

const ANYONE = 'anyone'

/**
 * Every key of the index under which a policy about a principal can be.
 *
 * @param above everything the principal is in, at any depth
 */
export function keysOf(principal: EntityRef, above: readonly EntityRef[]): string[] {
  return [
    ANYONE,
    `is ${principal.type}`,
    `== ${entityText(principal)}`,
    ...[principal, ...above].map((entity) => `in ${entityText(entity)}`),
  ]
}

function policyOf({ piece, json }: Accepted): Policy {
  const noted = new Map(annotationsOf(piece.tokens).map(({ name, value }) => [name, value]))
  const note = (name: string) => noted.get(name) ?? null
  const id = note('id')
  // INVARIANT: the lint refuses a policy without @id, and two with the same.
  if (id === null) throw new Error('A policy without an id was accepted.')
  return {
    id,
    effect: json.effect,
    owner: note('owner'),
    description: note('description'),
    ticket: note('ticket'),
    path: piece.path,
    ...piece.place(0),
    text: piece.text,
    ttl: ttlSeconds(note('ttl')),
    sender: senderOf(note('sender')),
    head: headOf(json),
    needs: needsOf(json),
  }
}

function grouped<T>(pairs: readonly (readonly [string, T])[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const [key, value] of pairs) {
    const group = groups.get(key)
    if (group) group.push(value)
    else groups.set(key, [value])
  }
  return groups
}

function fingerprint(policies: readonly Policy[], settings: PolicySettings): string {
  const texts = policies.map(({ id, text }) => [id, text]).sort()
  return createHash('sha256')
    .update(JSON.stringify([texts, settings]))
    .digest('hex')
    .slice(0, 16)
}
