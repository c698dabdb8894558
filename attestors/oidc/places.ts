/**
 * Where a claim is: a name at the top of the payload (`repository_id`, `oidc.circleci.com/project-id`), or a JSON
 * Pointer (RFC 6901) when it begins with a slash (`/submods/container/image_digest`). No I/O. No clock.
 */

import { isObject, type Json, type JsonObject } from '../../src/net/json.ts'

/** The member names and list indices that lead to a claim. */
export function stepsOf(place: string): readonly string[] {
  if (!place.startsWith('/')) return [place]
  const steps = place.slice(1).split('/')
  if (!place.includes('~')) return steps
  return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** One spelling of a place: `a` and `/a` are the same claim. */
export function canonicalPlace(place: string): string {
  return JSON.stringify(stepsOf(place))
}

/** The claim at a place; undefined where there is none. */
export function claimAt(claims: JsonObject, place: string): Json | undefined {
  return place.startsWith('/') ? claimAlong(claims, stepsOf(place)) : claims[place]
}

/** The same for steps that were taken apart before: every token is asked for dozens of places. */
export function claimAlong(claims: JsonObject, steps: readonly string[]): Json | undefined {
  let found: Json | undefined = claims
  for (const step of steps) found = member(found, step)
  return found
}

function member(value: Json | undefined, step: string): Json | undefined {
  if (Array.isArray(value)) return /^(0|[1-9]\d{0,5})$/.test(step) ? value[Number(step)] : undefined
  return isObject(value) ? value[step] : undefined
}
