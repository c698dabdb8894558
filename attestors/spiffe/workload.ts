/**
 * The workload that an SVID names, the same for either kind of SVID: which SPIFFE IDs an entry takes, and the Identity
 * that they become. No I/O. No clock.
 */

import type { Identity } from '../../src/identity.ts'
import { parseSpiffeId, type SpiffeId, trustDomainUri } from '../../src/net/spiffeid.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { invalidClaim, type Window } from '../claims.ts'
import { signedFacts } from '../facts.ts'
import { BELOW, type SpiffeSettings } from './settings.ts'

/** What proves an SVID: a signed token, or a certificate whose key the caller holds. */
export type Kind = 'jwt' | 'x509'

/** Where the facts of each kind were read. */
const SOURCES = { jwt: 'token', x509: 'certificate' } as const

/**
 * Reads the SPIFFE ID of a workload of one trust domain.
 * @param claim where it stands, for the operator
 * @throws Refusal `claim_invalid`, `issuer_untrusted`
 */
export function readWorkloadId(claim: string, found: unknown, trustDomain: string): SpiffeId {
  const id = parseSpiffeId(found)
  // The id without a path is that of the trust domain, which signs and does not work.
  if (id === null || id.path === '') {
    throw invalidClaim(claim, `a SPIFFE ID, ${trustDomainUri(trustDomain)}/<path>`, found)
  }
  if (id.trustDomain === trustDomain) return id
  const expected = trustDomainUri(trustDomain)
  throw new Refusal('issuer_untrusted', { expected, found: printable(id.uri) })
}

/** @throws Refusal `subject_untrusted` for an id that the entry does not list */
export function checkListed(id: SpiffeId, { ids }: Pick<SpiffeSettings, 'ids'>): void {
  if (ids === undefined || ids.some((listed) => admits(listed, id.uri))) return
  throw new Refusal('subject_untrusted', { list: 'ids', found: printable(id.uri) })
}

/** Whole segments only: `…/pay/*` is not `…/payroll`. */
function admits(listed: string, id: string): boolean {
  return listed.endsWith(BELOW) ? id.startsWith(listed.slice(0, -1)) : id === listed
}

/**
 * The Identity of a workload whose SVID has been verified. An SVID of either kind may be shown again: agents hand out
 * one for about half of its life.
 * @param digest of the evidence
 */
export function workload(
  trust: string,
  { uri, trustDomain, path }: SpiffeId,
  svid: Kind,
  window: Window,
  digest: string,
): Identity {
  return {
    kind: 'spiffe',
    trust,
    uri,
    principal: { type: 'SpiffeWorkload', id: uri },
    ancestry: [],
    facts: signedFacts({ trustDomain, path, svid }, window.issuedAt, 'A', SOURCES[svid]),
    ...window,
    replay: { policy: 'reusable', key: digest },
    lineage: [uri],
  }
}
