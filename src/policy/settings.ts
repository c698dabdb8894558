/** The configuration that policies lean on, compiled into each Generation. Types only. */

import type { EntityRef } from '../identity.ts'

/** An audience with the scopes it offers and the audience groups it is in. */
export type AudienceSettings = {
  readonly audience: string
  readonly scopes: readonly string[]
  readonly groups: readonly string[]
}

/** A trust entry: the root of its hierarchy (a Cluster, say) and the environment that holds it, if any. */
export type AnchorSettings = {
  /** The entry's name, as in `Party.trust`: what places a principal that is in no container. */
  readonly trust: string
  readonly entity: EntityRef
  readonly environment: string | null
}

/** A named set of days in one zone: inclusive ranges of ISO dates (`2026-12-24`). */
export type CalendarSettings = {
  readonly name: string
  readonly zone: string
  readonly ranges: readonly { readonly from: string; readonly to: string }[]
}

/** A named set of principals. */
export type GroupSettings = { readonly name: string; readonly members: readonly EntityRef[] }

/** All of it. Plain data, so that it can be handed to a worker thread. */
export type PolicySettings = {
  readonly audiences: readonly AudienceSettings[]
  readonly anchors: readonly AnchorSettings[]
  readonly zones: readonly string[]
  readonly calendars: readonly CalendarSettings[]
  readonly groups: readonly GroupSettings[]
}

/** One policy file as read: the path as the operator knows it, and its text. */
export type SourceFile = { readonly path: string; readonly text: string }

/** One finding, at the wrong token. Line and column count from 1, columns in UTF-16 units. */
export type Problem = {
  readonly path: string
  readonly line: number
  readonly column: number
  readonly severity: 'error' | 'warning'
  readonly message: string
}
