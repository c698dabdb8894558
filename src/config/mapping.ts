/** `resources[].from`: what the scopes of one audience may become at another. */

import { didYouMean } from '../suggest.ts'
import { type Findings, quote, type SettingPath } from './findings.ts'
import type { ResourceConfig } from './resources.ts'

/**
 * Reports audiences and scopes in the maps of a resource that no other has: a map that leads nowhere is a mistake.
 * @param others whose scopes may be in it
 */
export function checkMap(
  resource: ResourceConfig,
  path: SettingPath,
  others: readonly ResourceConfig[],
  find: Findings,
): void {
  for (const [audience, map] of Object.entries(resource.from)) {
    const at = [...path, 'from', audience]
    const theirs = others.find((each) => each.audience === audience)?.scopes
    if (audience === resource.audience) {
      find.error(at, 'is this resource itself: its own scopes need no map', 'key')
    } else if (theirs === undefined) {
      const known = others.map((each) => each.audience)
      find.error(
        at,
        `is ${quote(audience)}, which is no resource here${didYouMean(audience, known)}`,
        'key',
      )
    } else {
      checkScopes(map, { theirs, audience, resource, at }, find)
    }
  }
}

function checkScopes(
  map: Readonly<Record<string, readonly string[]>>,
  within: {
    readonly theirs: readonly string[]
    readonly audience: string
    readonly resource: ResourceConfig
    readonly at: SettingPath
  },
  find: Findings,
): void {
  const { theirs, audience, resource, at } = within
  for (const [scope, images] of Object.entries(map)) {
    if (!theirs.includes(scope)) {
      const message = `is ${quote(scope)}, which ${audience} does not offer${didYouMean(scope, [...theirs])}`
      find.error([...at, scope], message, 'key')
    }
    images.forEach((image, index) => {
      if (resource.scopes.includes(image)) return
      const hint = didYouMean(image, [...resource.scopes])
      find.error(
        [...at, scope, index],
        `is ${quote(image)}, which is no scope of this resource${hint}`,
      )
    })
  }
}
