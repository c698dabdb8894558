/**
 * A virtual machine beside the token of a managed identity. The platform signs which machine it is; Resource Graph says
 * which identities are attached to that machine; and the token is of one of them, or it is another machine's token.
 * No I/O. No clock.
 */

import type { Attested, Identity } from '../../src/identity.ts'
import { type Detail, few, Refusal } from '../../src/refusal.ts'
import { signedFacts } from '../facts.ts'
import type { Sighted } from './resources.ts'

/** A machine with the object ids of its identities, in lower case. */
export type AttestedMachine = Attested & { readonly principals: readonly string[] }

const SOURCE = 'api:resourcegraph'

/**
 * Adds what Resource Graph tells to what the platform signed. Signed facts stay as they are signed.
 * @throws Refusal `machine_unknown` for a machine of another tenant
 */
export function machineOf(
  signed: Attested,
  { machine, observedAt }: Sighted,
  tenant: string,
): AttestedMachine {
  if (machine.tenant !== tenant) {
    const detail = { expected: `a machine of tenant ${tenant}`, found: machine.tenant }
    throw new Refusal('machine_unknown', { vm: machine.vm, ...detail })
  }
  const { subject, lineage, issuedAt, expiresAt } = signed
  const told = { ...machine.settings, 'vm.subscription': machine.subscription }
  return {
    subject,
    facts: {
      ...signedFacts(told, observedAt, 'B', SOURCE),
      ...signedFacts({ 'vm.tags': machine.tags }, observedAt, 'D', SOURCE),
      ...signed.facts,
    },
    lineage,
    issuedAt,
    expiresAt,
    principals: machine.principals,
  }
}

/** As `SecondEvidence.mismatch`: the token's identity has to be attached to the machine (CVE-2025-3879). */
export function mismatchOf(first: Identity, second: Attested): Detail | null {
  const fact = first.facts['objectId']
  const objectId = fact?.grade === 'A' ? fact.value : undefined
  const principals = 'principals' in second ? (second as AttestedMachine).principals : []
  if (typeof objectId === 'string' && principals.includes(objectId)) return null
  const expected = typeof objectId === 'string' ? objectId : 'the object id of a token'
  return { expected, found: few(principals), machine: second.subject }
}
