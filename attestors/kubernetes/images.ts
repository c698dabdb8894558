/**
 * Which images a pod runs: what its spec names, which the API server keeps, and what the kubelet reports to
 * have pulled. No I/O. No clock.
 */

import type { JsonObject } from '../../src/net/json.ts'
import type { PodImage } from '../images/facts.ts'
import { boundedSet, object, objects, requiredText, text } from './fields.ts'
import type { FoundFacts } from './records.ts'
import { CONTAINER_LISTS, containersOf } from './security.ts'

const PINNED = /@(sha256:[0-9a-f]{64})$/
/** `repo@sha256:…`, `docker-pullable://repo@sha256:…`, or the bare id of an image without a repository. */
const REPORTED = /(?:^|[@/])(sha256:[0-9a-f]{64})$/

/** More than a pod has; a part of them would say less than is so. */
const MAX_IMAGES = 100

/** Facts about a pod's images. @throws Misshapen */
export function imagesOf(pod: JsonObject): FoundFacts {
  const spec = object(pod, 'spec')
  const named = [
    ...containersOf(spec).map((container) => text(container, 'image')),
    ...mounted(spec),
  ]
  const pinned = named.map((reference) => PINNED.exec(reference ?? '')?.[1])
  return {
    'image.digestPinned': pinned.every((digest) => digest !== undefined),
    'image.pinnedDigests': boundedSet(pinned.filter((digest) => digest !== undefined)),
    'image.digests': reportedDigests(spec, object(pod, 'status')),
  }
}

/** The images of all containers, and those mounted as volumes, of which the kubelet reports no digest. @throws Misshapen */
export function podImages(pod: JsonObject): readonly PodImage[] | null {
  const spec = object(pod, 'spec')
  const reported = reportedByName(object(pod, 'status'))
  const images = new Map<string, PodImage>()
  const add = (reference = '', ran: string | undefined) => {
    const pinned = PINNED.exec(reference)?.[1]
    const digest = pinned ?? ran ?? null
    images.set(`${reference} ${digest}`, { reference, digest, isPinned: pinned !== undefined })
  }
  for (const container of containersOf(spec)) {
    add(text(container, 'image'), reported.get(requiredText(container, 'name')))
  }
  for (const reference of mounted(spec)) add(reference, undefined)
  return images.size > MAX_IMAGES ? null : [...images.values()]
}

function mounted(spec: JsonObject): readonly (string | undefined)[] {
  return objects(spec, 'volumes').flatMap((volume) =>
    (volume['image'] ?? null) === null ? [] : [text(object(volume, 'image'), 'reference')],
  )
}

/** Unknown until each container has one: a set with gaps would satisfy a policy that lists what is allowed. */
function reportedDigests(spec: JsonObject, status: JsonObject): readonly string[] | undefined {
  const reported = reportedByName(status)
  const digests: string[] = []
  for (const container of containersOf(spec)) {
    const digest = reported.get(requiredText(container, 'name'))
    if (digest === undefined) return undefined
    digests.push(digest)
  }
  return boundedSet(digests)
}

/** The digests that the kubelet reports, by the name of the container. */
function reportedByName(status: JsonObject): ReadonlyMap<string | undefined, string | undefined> {
  return new Map(
    CONTAINER_LISTS.flatMap((list) => objects(status, STATUSES[list])).map((each) => [
      text(each, 'name'),
      REPORTED.exec(text(each, 'imageID') ?? '')?.[1],
    ]),
  )
}

/** Where a pod's status keeps what it says of each list of its spec. */
export const STATUSES = {
  containers: 'containerStatuses',
  initContainers: 'initContainerStatuses',
  ephemeralContainers: 'ephemeralContainerStatuses',
} as const satisfies Record<(typeof CONTAINER_LISTS)[number], string>
