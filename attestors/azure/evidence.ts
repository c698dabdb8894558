/**
 * What an entry takes beside its tokens, about the virtual machine that the token was asked for on: the attested document
 * of the metadata service, and results of Azure Attestation. Both are verified whole before anything is looked up.
 */

import type { Attested, Proof, SecondEvidence } from '../../src/identity.ts'
import { parseJwt } from '../../src/net/jwt.ts'
import { few, printable, Refusal } from '../../src/refusal.ts'
import { KnownChains } from '../chain.ts'
import { signedFacts } from '../facts.ts'
import { azureAttestation } from '../oidc/presets/azure-attestation.ts'
import type { AttestationResult, ResultVerifier } from '../oidc/results.ts'
import type { AnchorFiles } from './anchors.ts'
import type { CloudName } from './clouds.ts'
import { checkEnd, claimedAzureChallenge, verifyAzureDocument } from './document.ts'
import { type AttestedMachine, machineOf, mismatchOf } from './machine.ts'
import type { Resources } from './resources.ts'

/** The formats of the evidence (`Evidence.format`). */
export const DOCUMENT_FORMAT = 'azure-document'
export const RESULT_FORMAT = 'azure-attestation'

/** Whose machines they are, and who knows them. */
export type Inventory = {
  readonly tenant: string
  readonly subscriptions: readonly string[]
  readonly resources: Resources
}

/** Attested documents. The machine is looked for in the very subscription that the document names. */
export function documentEvidence(
  { tenant, subscriptions, resources }: Inventory,
  anchors: AnchorFiles,
  cloud: CloudName,
): SecondEvidence {
  const known = new KnownChains()
  return {
    claimedChallenge: (document) => claimedAzureChallenge(document, known),
    async prepare(document, challenge, nowSeconds) {
      const options = { challenge, subscriptions, cloud, known, ...(await anchors.read()) }
      const signed = verifyAzureDocument(document, options, nowSeconds)
      const wanted = { vm: signed.subject, subscriptions: [signed.subscription] }
      return lasting(machineOf(signed, await resources.find(wanted), tenant))
    },
    mismatch: mismatchOf,
  }
}

/** Results of Azure Attestation. They name a machine and no subscription: it has to be in one of the entry's. */
export function resultEvidence(
  { tenant, subscriptions, resources }: Inventory,
  verifiers: readonly ResultVerifier[],
): SecondEvidence {
  function verifierOf(token: string): ResultVerifier {
    const { iss } = parseJwt(token, { unread: azureAttestation.unread ?? [] }).claims
    const verifier = verifiers.find(({ issuer }) => issuer === iss)
    if (verifier !== undefined) return verifier
    const expected = few(verifiers.map(({ issuer }) => issuer))
    throw new Refusal('issuer_untrusted', { expected, found: printable(iss) })
  }

  return {
    claimedChallenge: (token) => verifierOf(token).claimedChallenge(token),
    async prepare(token, challenge, nowSeconds) {
      const proof = await verifierOf(token).prepare(token, challenge, nowSeconds)
      const signed = attestedBy(proof.verify(nowSeconds))
      const sighted = await resources.find({ vm: signed.subject, subscriptions })
      return lasting(machineOf(signed, sighted, tenant))
    },
    mismatch: mismatchOf,
  }
}

/** What a result says of the machine, under the names that facts of an Azure identity have. */
function attestedBy({ subject, facts, issuedAt, expiresAt }: AttestationResult): Attested {
  const vm = subject.toLowerCase()
  const measured = Object.entries(facts).filter(([name]) => name.startsWith('attested.'))
  return {
    subject: vm,
    facts: {
      ...Object.fromEntries(measured),
      ...signedFacts({ 'vm.id': vm, 'attested.vm': vm }, issuedAt, 'A', 'attestation result'),
    },
    lineage: [`azure-vm:${vm}`],
    issuedAt,
    expiresAt,
  }
}

/** All but its end was judged before the lookup, and waiting changes nothing of that. */
function lasting(machine: AttestedMachine): Proof<Attested> {
  return {
    verify(nowSeconds) {
      checkEnd(machine.expiresAt, nowSeconds)
      return machine
    },
  }
}
