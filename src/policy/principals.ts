/**
 * Who can be a principal and what may be asked about it: the table from which schema, lint and entities
 * are made. A further kind of workload is one row of `PRINCIPALS` (and a row of `CONTAINERS` for each new
 * thing it can be in). Types of kinds without an attestor can be written about; they cannot occur.
 */

import { type Attribute, always, maybe } from './attributes.ts'
import { OTHER_PLATFORMS } from './platforms.ts'
import { SERVICE_ACCOUNT_POSTURE } from './posture.ts'

/** How the ids of an entity type are written. */
export type IdShape = {
  /** For people: `<cluster>/<namespace>`. */
  readonly form: string
  /** Holds for every id. Its group `root` is the id of the anchor that has to vouch for it. */
  readonly pattern: RegExp
  /** The type of that anchor, which has to be configured under `trust`; null where none is. */
  readonly root: string | null
}

/** One principal type. */
export type PrincipalType = {
  readonly doc: string
  /** The kind of trust entry that proves it. */
  readonly kind: string
  readonly id: IdShape
  /** The types of `Party.ancestry`, innermost first. Without any, it is in its environment directly. */
  readonly ancestry: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

/** A named set that every principal can be a member of; the configuration alone says who is. */
export const GROUP = 'Group'

/** A person: never the current actor, but whom one may act for. */
export const USER = 'User'

/** The outermost container; anchors are put into it by the configuration alone. */
export const ENVIRONMENT = 'Environment'

/** What a token is for, and a named set of those. */
export const AUDIENCE = 'Audience'
export const AUDIENCE_GROUP = 'AudienceGroup'

/** An entity type that is not a principal. */
export type ContainerType = {
  readonly doc: string
  readonly in: readonly string[]
  readonly id: IdShape | null
}

/** What principals and audiences can be in, from the outside in. */
export const CONTAINERS: Readonly<Record<string, ContainerType>> = {
  [ENVIRONMENT]: { doc: 'From `environment` of a trust entry.', in: [], id: null },
  [GROUP]: { doc: 'From `policies.groups`.', in: [], id: null },
  [AUDIENCE_GROUP]: { doc: 'From `groups` of a resource.', in: [], id: null },
  [AUDIENCE]: {
    doc: 'What a token is for: a resource of the configuration.',
    in: [AUDIENCE_GROUP],
    id: null,
  },
  Cluster: {
    doc: 'From `cluster` of a Kubernetes trust entry.',
    in: [ENVIRONMENT],
    id: { form: '<cluster>', pattern: /^(?<root>[^/]+)$/, root: 'Cluster' },
  },
  Namespace: {
    doc: 'A Kubernetes namespace.',
    in: ['Cluster'],
    id: { form: '<cluster>/<namespace>', pattern: /^(?<root>[^/]+)\/[^/]+$/, root: 'Cluster' },
  },
}

/** Every principal type by its Cedar name. */
export const PRINCIPALS: Readonly<Record<string, PrincipalType>> = {
  ServiceAccount: {
    doc: 'A Kubernetes workload, proved by a projected service account token.',
    kind: 'kubernetes',
    id: {
      form: '<cluster>/<namespace>/<service account>',
      pattern: /^(?<root>[^/]+)\/[^/]+\/[^/]+$/,
      root: 'Cluster',
    },
    ancestry: ['Namespace', 'Cluster'],
    attributes: {
      cluster: always('A', 'String', 'Our name for the cluster, from the trust entry.'),
      namespace: always('A', 'String', 'The namespace of the service account.'),
      name: always('A', 'String', 'The name of the service account.'),
      uid: always('A', 'String', 'The UID of the service account: a re-created one has another.'),
      ...SERVICE_ACCOUNT_POSTURE,
      'pod.name': always('A', 'String', 'The pod that the token was issued for.'),
      'pod.uid': always('A', 'String', 'The UID of that pod.'),
      'node.name': always('A', 'String', 'The node when the token was issued.'),
      // The API server names a node whose object it could not read without its UID.
      'node.uid': maybe('A', 'String', 'The UID of that node.'),
    },
  },
  ...OTHER_PLATFORMS,
}

/** The entity types that a principal type is in directly. */
export function parents({ ancestry, kind }: PrincipalType): string[] {
  // Users come from `users`, whose entries have no environment.
  const outer = kind === 'users' ? [] : [ancestry[0] ?? ENVIRONMENT]
  return [...outer, GROUP]
}

/** Names and values of a level of dotted names: a leaf, or a level of its own. */
export type Tree<T> = Map<string, T | Tree<T>>

/** Dotted names as a tree: `pod.name` becomes `pod` → `name`. */
export function tree<T>(flat: Readonly<Record<string, T>>): Tree<T> {
  const root: Tree<T> = new Map()
  for (const [name, leaf] of Object.entries(flat)) {
    const path = name.split('.')
    const last = path.pop() ?? name
    let level = root
    for (const step of path) {
      const next = level.get(step)
      const inner: Tree<T> = next instanceof Map ? next : new Map()
      level.set(step, inner)
      level = inner
    }
    level.set(last, leaf)
  }
  return root
}
