/**
 * Who can be a principal and what may be asked about it: the table from which schema, lint and entities
 * are made. A further kind of workload is one row of `PRINCIPALS` (and a row of `CONTAINERS` for each new
 * thing it can be in).
 */

import type { Grade } from '../identity.ts'

/** An attribute of a principal. Its dotted name is the fact's name; a dot makes a record. */
export type Attribute = {
  readonly type: 'String' | 'Long' | 'Bool' | 'Set<String>'
  /** Whether it is always known: in a record, whenever the record is. Records themselves are optional. */
  readonly required: boolean
  readonly grade: Grade
  readonly doc: string
}

/** How the ids of an entity type are made: slash-separated parts below a configured root. */
export type IdShape = {
  /** The type whose id is the first part; it must be configured under `trust`. */
  readonly root: string
  readonly parts: readonly string[]
}

/** One principal type. */
export type PrincipalType = {
  readonly doc: string
  readonly id: IdShape
  /** The types of `Party.ancestry`, innermost first. */
  readonly ancestry: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

/** A named set that every principal can be a member of; the configuration alone says who is. */
export const GROUP = 'Group'

/** The outermost container; anchors are put into it by the configuration alone. */
export const ENVIRONMENT = 'Environment'

/** What principals can be in, from the outside in. */
export const CONTAINERS: Readonly<
  Record<string, { readonly in: readonly string[]; readonly id: IdShape | null }>
> = {
  [ENVIRONMENT]: { in: [], id: null },
  [GROUP]: { in: [], id: null },
  Cluster: { in: [ENVIRONMENT], id: { root: 'Cluster', parts: ['cluster'] } },
  Namespace: { in: ['Cluster'], id: { root: 'Cluster', parts: ['cluster', 'namespace'] } },
}

/** Every principal type by its Cedar name. */
export const PRINCIPALS: Readonly<Record<string, PrincipalType>> = {
  ServiceAccount: {
    doc: 'A Kubernetes workload, proved by a projected service account token.',
    id: { root: 'Cluster', parts: ['cluster', 'namespace', 'service account'] },
    ancestry: ['Namespace', 'Cluster'],
    attributes: {
      cluster: text('Our name for the cluster, from the trust entry that vouches.'),
      namespace: text('The namespace of the service account.'),
      name: text('The name of the service account.'),
      uid: text('The UID of the service account: a re-created one has another.'),
      'pod.name': text('The pod that the token was issued for.'),
      'pod.uid': text('The UID of that pod.'),
      'node.name': text('The node that the pod was on when the token was issued.'),
      // The API server names a node whose object it could not read without its UID.
      'node.uid': { ...text('The UID of that node, where known.'), required: false },
    },
  },
}

function text(doc: string): Attribute {
  return { type: 'String', required: true, grade: 'A', doc }
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
