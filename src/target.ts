/** What is asked for: the one resource of ours, the one of another authorization server, or our trust domain. */

import type { Destination } from './idjag.ts'
import type { Wanted } from './issuance.ts'
import type { Asking } from './mandate.ts'
import { few, printable, Refusal } from './refusal.ts'
import { claimedResource, type ShownSubject } from './subjects.ts'
import { canonicalUri } from './uri.ts'

/** What a request says of it, unverified. */
export type Naming = {
  readonly wanted: Wanted
  /** Every `resource` parameter (RFC 8707). */
  readonly resources: readonly string[]
  /** Every `audience` parameter (RFC 8693 §2.1). */
  readonly audiences: readonly string[]
  readonly subject: ShownSubject | null
}

/** What was found. */
export type Target = {
  readonly resource: Asking['resource']
  /** The other authorization server, where the resource is one of its; null where it is ours. */
  readonly to: Destination | null
}

/** Finds it. @throws Refusal `resource_missing`, `resource_repeated`, `resource_unknown`, `claim_invalid` */
export type Targets = (naming: Naming) => Target

/** Another authorization server, and what can be asked of us for it. */
export type Partner = Destination & { readonly resources: readonly Asking['resource'][] }

/** All that there is. */
export type Served = {
  readonly resources: readonly Asking['resource'][]
  readonly chaining: readonly Partner[]
  /** Our trust domain as the audience of transaction tokens; null where there is none. */
  readonly transactions: Asking['resource'] | null
}

type Known = ReadonlyMap<string, Asking['resource']>

/** Composed in `broker.ts`. */
export function targets({ resources, chaining, transactions }: Served): Targets {
  const ours = byAudience(resources)
  const partners = new Map(chaining.map((each) => [each.issuer, each]))
  const theirs = new Map(chaining.map((each) => [each.issuer, byAudience(each.resources)]))
  const domain = byAudience(transactions === null ? [] : [transactions])
  return (naming) => {
    const { wanted, audiences } = naming
    // In an exchange both parameters may say the same (RFC 8693 §2.1).
    const named =
      audiences.length === 0 ? naming.resources : [...new Set([...naming.resources, ...audiences])]
    if (wanted.type === 'txn_token') return { resource: sole(named, domain), to: null }
    if (wanted.type === 'id-jag') {
      const to = sole(audiences, partners)
      return { resource: sole(naming.resources, theirs.get(to.issuer) ?? new Map()), to }
    }
    const { subject } = naming
    // An ID-JAG says what it is for. In the place of a parameter it is only as good as the token itself.
    if (named.length === 0 && subject?.carrier === 'assertion') {
      return { resource: claimed(subject, ours), to: null }
    }
    return { resource: sole(named, ours), to: null }
  }
}

/** The one that is asked for (RFC 8707 §2). */
function sole<Each>(asked: readonly string[], known: ReadonlyMap<string, Each>): Each {
  const [audience, another] = asked
  if (audience === undefined) {
    throw new Refusal('resource_missing', { served: few(known.keys()) })
  }
  if (another !== undefined) throw new Refusal('resource_repeated', { found: asked.map(printable) })
  const found = known.get(audience) ?? known.get(canonicalUri(audience) ?? '')
  if (found !== undefined) return found
  throw new Refusal('resource_unknown', {
    found: printable(audience),
    served: few(known.keys()),
  })
}

function claimed(subject: ShownSubject, known: Known): Asking['resource'] {
  const said = claimedResource(subject)
  const found = known.get(canonicalUri(said ?? '') ?? '')
  if (found !== undefined) return found
  const { carrier } = subject
  throw new Refusal(
    'claim_invalid',
    { carrier, claim: 'resource', found: printable(said), expected: few(known.keys()) },
    { carrier },
  )
}

function byAudience(resources: readonly Asking['resource'][]): Known {
  return new Map(resources.map((resource) => [resource.audience, resource]))
}
