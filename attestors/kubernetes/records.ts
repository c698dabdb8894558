/**
 * What is kept of an object of the API server: only what liveness and policies can use, about a kilobyte a
 * pod. Plain values, made once when the object arrives. Types only.
 */

import type { PodImage } from '../images/facts.ts'
import type { FactName } from './grades.ts'

/** A value as policies see it. */
export type RecordValue = string | number | boolean | readonly string[]

/** Facts of one object by their dotted name below the workload, such as `pod.privileged`; unknown ones are left out. */
export type RecordFacts = Readonly<Partial<Record<FactName, RecordValue>>>

/** The same while they are read: an unknown one may be undefined. */
export type FoundFacts = { readonly [Name in FactName]?: RecordValue | undefined }

export type PodRecord = {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly serviceAccount: string
  /** Null until it is scheduled. */
  readonly node: string | null
  readonly phase: string
  /** What it runs and mounts, each image once; null where that is more than a pod has. */
  readonly images: readonly PodImage[] | null
  /** `metadata.deletionTimestamp`, epoch seconds: when its grace ends. Null while nobody deletes it. */
  readonly deletionAt: number | null
  readonly facts: RecordFacts
}

export type NodeRecord = {
  readonly name: string
  readonly uid: string
  readonly deletionAt: number | null
  readonly facts: RecordFacts
}

export type NamespaceRecord = {
  readonly name: string
  readonly uid: string
  readonly deletionAt: number | null
  readonly facts: RecordFacts
}

export type ServiceAccountRecord = {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly deletionAt: number | null
  readonly facts: RecordFacts
}
