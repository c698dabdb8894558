/** `resources[].from`: what the scopes of one audience may become at another. */

import { didYouMean } from '../suggest.ts'
import { type Findings, quote, type SettingPath } from './findings.ts'
import type { ResourceConfig } from './resources.ts'

/** Reports audiences and scopes in maps that no resource has: a map that leads nowhere is a mistake. */
export function checkMaps(resources: readonly ResourceConfig[], find: Findings): void {
  const offered = new Map(resources.map(({ audience, scopes }) => [audience, scopes]))
  resources.forEach((resource, index) => {
    for (const [audience, map] of Object.entries(resource.from)) {
      const at = ['resources', index, 'from', audience]
      const theirs = offered.get(audience)
      if (audience === resource.audience) {
        find.error(at, 'is this resource itself: its own scopes need no map', 'key')
      } else if (theirs === undefined) {
        const hint = didYouMean(audience, [...offered.keys()])
        find.error(at, `is ${quote(audience)}, which is no resource here${hint}`, 'key')
      } else {
        checkScopes(map, { theirs, audience, resource, at }, find)
      }
    }
  })
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
