/** Which version this is. */

import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'

/** The version in our own package.json, whether this runs from sources or from `dist/`. */
export function ownVersion(): string {
  const path = findPackageJSON('.', import.meta.url)
  if (path === undefined) return 'unknown'
  return String(JSON.parse(readFileSync(path, 'utf8')).version)
}
