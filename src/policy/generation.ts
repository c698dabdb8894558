/** The Generation: policies with the configuration they lean on, compiled once and swapped whole. */

import { createHash } from 'node:crypto'
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { EntityRef } from '../identity.ts'
import { annotationsOf, expiresOf, formatOf, modeOf, senderOf, ttlSeconds } from './annotations.ts'
import { type Cache, createCache } from './cache.ts'
import { calendar } from './calendar.ts'
import { compilePolicy, type Part, type Program } from './eval/compile.ts'
import { type Head, headOf } from './head.ts'
import { type Moments, moments } from './moments.ts'
import type { Format, Sender } from './question.ts'
import { entityText } from './scan.ts'
import type { PolicySettings } from './settings.ts'
import type { Piece } from './split.ts'
import { headKey, type Standing } from './standing.ts'
import { clock } from './zone.ts'

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
  readonly format: Format | null
  /** `@expires`, epoch seconds: from then on it is as if the policy were not there. */
  readonly expires: number | null
  /** Whether it decides, or is only evaluated and its effect reported. */
  readonly mode: 'enforce' | 'report'
  readonly head: Head
  /** Head and conditions, compiled. */
  readonly program: Program
  /** The conditions as they were parsed, for explanations. */
  readonly conditions: PolicyJson['conditions']
  /** Names the text: equal digests are equal policies. */
  readonly digest: string
}

/** Everything `decide` needs besides the Question. */
export type Generation = {
  /** Names policies and settings: equal ids decide alike. */
  readonly id: string
  readonly settings: PolicySettings
  /** By id, in the order of the files. */
  readonly policies: ReadonlyMap<string, Policy>
  /** Policies by the principal constraint of their head (see `standing.ts`). */
  readonly index: ReadonlyMap<string, readonly Policy[]>
  /** Scopes by audience. */
  readonly offers: ReadonlyMap<string, ReadonlySet<string>>
  /** Groups by the entity text of a member. */
  readonly groups: ReadonlyMap<string, readonly EntityRef[]>
  /** Environments by the entity text of an anchor, and by the name of its trust entry. */
  readonly environments: ReadonlyMap<string, EntityRef>
  /** Audience groups by audience. */
  readonly audienceGroups: ReadonlyMap<string, readonly EntityRef[]>
  readonly moments: Moments
  /** Conditions that policies share, by their text: what many ask stays in the processor's cache. */
  readonly parts: Map<string, Part>
  /** What `standingOf` has worked out. */
  readonly standings: Cache<Standing>
}

/** How many standings a generation remembers: workloads that ask often, times audiences. */
const STANDINGS = 8192

/** A policy that passed the worker and the lint. */
export type Accepted = { readonly piece: Piece; readonly json: PolicyJson }

/**
 * Puts policies together. The caller vouches that they were validated against these settings. Short, for
 * it cannot be interrupted: what costs time for each policy is in `policyOf`, which a reload keeps.
 *
 * @throws RangeError for a zone that the runtime does not know
 */
export function compile(policies: readonly Policy[], settings: PolicySettings): Generation {
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
      settings.anchors.flatMap(({ trust, entity, environment: id }) =>
        id === null
          ? []
          : [trust, entityText(entity)].map((key) => [key, environment(id)] as const),
      ),
    ),
    audienceGroups: new Map(
      settings.audiences.map(({ audience, groups }) => [
        audience,
        groups.map((id) => ({ type: 'AudienceGroup', id })),
      ]),
    ),
    moments: moments(
      new Map(settings.zones.map((zone) => [zone, clock(zone)])),
      new Map(settings.calendars.map((each) => [each.name, calendar(each)])),
    ),
    parts: new Map(),
    standings: createCache(STANDINGS),
  }
}

function environment(id: string): EntityRef {
  return { type: 'Environment', id }
}

/**
 * Compiles one policy.
 *
 * @throws Unsupported for what the evaluator does not know; the worker has refused such policies
 */
export function policyOf({ piece, json }: Accepted): Policy {
  const annotations = annotationsOf(piece.tokens)
  const noted = new Map(annotations.map(({ name, value }) => [name, value]))
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
    format: formatOf(note('format')),
    expires: expiresOf(annotations),
    mode: modeOf(annotations),
    head: headOf(json),
    program: compilePolicy(json),
    conditions: json.conditions,
    digest: createHash('sha256').update(piece.text).digest('base64url'),
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
  // The id is part of the text.
  return createHash('sha256')
    .update(policies.map(({ digest }) => digest).join())
    .update(JSON.stringify(settings))
    .digest('hex')
    .slice(0, 16)
}
