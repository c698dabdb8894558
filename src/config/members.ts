/** Members of groups: principals as policies write them. */

import type { EntityRef } from '../identity.ts'
import { PRINCIPALS } from '../policy/principals.ts'
import { didYouMean } from '../suggest.ts'
import { quote } from './findings.ts'
import type { TrustConfig } from './trust.ts'

/**
 * One member of a group; or what is wrong with it, as the end of a sentence.
 * @param trust null when some entry could not be read: then nothing is called unknown
 */
export function readMember(text: string, trust: readonly TrustConfig[] | null): EntityRef | string {
  const [, type = '', id = ''] = /^([A-Za-z_]\w*)::"([^"\\]*)"$/.exec(text) ?? []
  const row = Object.hasOwn(PRINCIPALS, type) ? PRINCIPALS[type] : undefined
  if (!row) {
    return `is ${quote(text)}, not a principal such as ServiceAccount::"cluster/namespace/name"${didYouMean(type, Object.keys(PRINCIPALS))}`
  }
  const match = row.id.pattern.exec(id)
  if (!match || /\s/.test(id)) return `is ${quote(text)}, but a ${type} is "${row.id.form}"`
  // A member that no entry can ever prove would be a silent hole.
  const vouching = trust?.filter(({ kind }) => kind === row.kind)
  if (vouching?.length === 0) {
    return `is ${quote(text)}, for which no trust entry of the kind ${row.kind} vouches`
  }
  const root = match.groups?.['root'] ?? ''
  const roots = vouching?.flatMap(({ anchor }) => (anchor.type === row.id.root ? anchor.id : []))
  if (roots !== undefined && roots.length > 0 && !roots.includes(root)) {
    return `names the ${row.id.root} ${quote(root)}, for which no trust entry vouches${didYouMean(root, roots)}`
  }
  return { type, id }
}
