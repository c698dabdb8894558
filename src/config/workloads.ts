/** Workloads by their canonical URIs, as tokens name them in `sub`: which kind of trust entry could yield one. */

import { didYouMean } from '../suggest.ts'
import { type Findings, quote } from './findings.ts'
import type { ResourceConfig } from './resources.ts'
import type { TrustConfig } from './trust.ts'

type Form = {
  readonly kind: string
  readonly form: string
  /** Its group `root` is the id of the anchor that has to vouch; without one, any entry of the kind does. */
  readonly pattern: RegExp
}

/** One segment as an attestor writes it. */
const PART = '[^/?#\\s]+'

/** By scheme, in the order of the documentation. */
const FORMS: Readonly<Record<string, Form>> = {
  k8s: {
    kind: 'kubernetes',
    form: 'k8s://<cluster>/ns/<namespace>/sa/<name>',
    pattern: new RegExp(`^k8s://(?<root>${PART})/ns/${PART}/sa/${PART}$`),
  },
  aws: {
    kind: 'aws',
    form: 'aws://<partition>/<account>/role/<name>',
    pattern: new RegExp(`^aws://aws[a-z-]*/(?<root>\\d{12})/role/${PART}$`),
  },
  azure: {
    kind: 'azure',
    form: 'azure://<tenant>/sp/<object id>',
    pattern: new RegExp(`^azure://(?<root>${PART})/sp/${PART}$`),
  },
  gcp: { kind: 'gcp', form: 'gcp://sa/<unique id>', pattern: /^gcp:\/\/sa\/\d+$/ },
  spiffe: {
    kind: 'spiffe',
    form: 'spiffe://<trust domain>/<path>',
    pattern: /^spiffe:\/\/(?<root>[a-z0-9._-]{1,255})(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/,
  },
  oidc: {
    kind: 'oidc',
    form: 'oidc://<entry>/<subject>',
    pattern: /^oidc:\/\/(?<root>[^/\s]+)\/\S+$/,
  },
}

/**
 * Reports workloads behind resources that could never call.
 * @param trust null when some entry could not be read
 */
export function checkServers(
  resources: readonly ResourceConfig[],
  trust: readonly TrustConfig[] | null,
  find: Findings,
): void {
  resources.forEach(({ servedBy }, index) => {
    servedBy.forEach((uri, nth) => {
      const repeated = servedBy.indexOf(uri) < nth
      const fault = repeated
        ? `is ${quote(uri)}, which is listed already`
        : workloadFault(uri, trust)
      if (fault !== null) find.error(['resources', index, 'servedBy', nth], fault)
    })
  })
}

/**
 * What is wrong with the URI of a workload, as the end of a sentence; null when nothing is.
 * @param trust null when some entry could not be read: then nothing is called unknown
 */
function workloadFault(uri: string, trust: readonly TrustConfig[] | null): string | null {
  const scheme = uri.slice(0, Math.max(0, uri.indexOf('://')))
  const row = Object.hasOwn(FORMS, scheme) ? FORMS[scheme] : undefined
  if (row === undefined) {
    return `is ${quote(uri)}, not a workload such as k8s://cluster/ns/namespace/sa/name${didYouMean(scheme, Object.keys(FORMS))}`
  }
  const match = row.pattern.exec(uri)
  if (match === null) return `is ${quote(uri)}, but must be written ${row.form}`
  // A workload that no entry can ever prove would be a silent hole.
  const vouching = trust?.filter(({ kind }) => kind === row.kind)
  if (vouching === undefined) return null
  if (vouching.length === 0) {
    return `is ${quote(uri)}, for which no trust entry of the kind ${row.kind} vouches`
  }
  const root = match.groups?.['root']
  const roots = vouching.map(({ anchor }) => anchor.id)
  if (root === undefined || roots.includes(root)) return null
  return `is ${quote(uri)}, for which no trust entry vouches: none is for ${quote(root)}${didYouMean(root, roots)}`
}
