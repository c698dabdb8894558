/**
 * Reads whom others hear of by our word: the authorization servers that take ID-JAGs of ours, with what can be asked of us
 * for them, and the trust domain that transaction tokens are for.
 */

import { canonicalUri } from '../uri.ts'
import { LIVES, type RawChaining, type RawTransactions } from './chaining.ts'
import { type Findings, quote } from './findings.ts'
import { checkMap } from './mapping.ts'
import { type Around, type ResourceConfig, readResource } from './resources.ts'

/** Another authorization server. */
export type ChainingConfig = {
  readonly issuer: string
  readonly clients: Readonly<Record<string, string>>
  readonly resources: readonly ResourceConfig[]
}

const WORKLOAD = /^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]+$/

/** Reads the authorization servers, each against the others and against what is ours. */
export function readChaining(
  entries: readonly RawChaining[],
  around: Around,
  ours: readonly ResourceConfig[],
  find: Findings,
): readonly ChainingConfig[] {
  const seen = new Set<string>()
  return entries.flatMap((entry, index) => {
    const at = ['chaining', index]
    if (!find.sound(at)) return []
    const { issuer, clients = {} } = entry
    const fault = issuerFault(issuer, around.issuer, seen)
    if (fault !== undefined) find.error([...at, 'issuer'], fault)
    seen.add(issuer)
    for (const uri of Object.keys(clients)) {
      if (WORKLOAD.test(uri)) continue
      const message = 'must be the canonical URI of a workload, such as k8s://…'
      find.error([...at, 'clients', uri], message, 'key')
    }
    const resources = entry.resources.map((raw, number) => {
      const path = [...at, 'resources', number]
      const read = readResource(raw, path, { ...around, ttl: LIVES }, find)
      checkMap(read, path, ours, find)
      return read
    })
    return [{ issuer, clients, resources }]
  })
}

function issuerFault(issuer: string, own: string, seen: ReadonlySet<string>): string | undefined {
  if (issuer === own) return 'is our own issuer: its resources need no ID-JAG'
  if (canonicalUri(issuer) === undefined) return `is ${quote(issuer)}, not an absolute URI`
  return seen.has(issuer) ? `is ${quote(issuer)}, as that of an earlier entry` : undefined
}

/** Reads the trust domain, as the audience that it is for transaction tokens; null where there is none. */
export function readTransactions(
  raw: RawTransactions | undefined,
  around: Around,
  ours: readonly ResourceConfig[],
  find: Findings,
): (ResourceConfig & { readonly knownOnly: true }) | null {
  const at = ['transactions']
  if (raw === undefined || !find.sound(at)) return null
  const { trustDomain, ...rest } = raw
  if (around.seen.has(trustDomain) || trustDomain === around.issuer) {
    const message = `is ${quote(trustDomain)}, which is the issuer or an audience: what is for one would be for the other`
    find.error([...at, 'trustDomain'], message)
  }
  const read = readResource(rest, at, { ...around, ttl: LIVES }, find)
  const resource = { ...read, audience: trustDomain, knownOnly: true as const }
  checkMap(resource, at, ours, find)
  return resource
}
