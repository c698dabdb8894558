/** Results of Azure Attestation beside a managed identity's token: the machine that they name has that identity. */

import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import type { Reason } from '../../src/refusal.ts'
import { attest, refused } from '../world/attest.ts'
import { OBJECT_ID, OTHER_TENANT } from '../world/azure.ts'
import { type MachineStage, secondOf, setMachineStage, show } from '../world/azuremachines.ts'
import { TestClock } from '../world/clock.ts'
import { CHALLENGE, NOW, SUBSCRIPTION, VM_ID } from '../world/cms.ts'
import type { Draft } from '../world/issuer.ts'
import { signer } from '../world/keys.ts'
import { FakePlatform, put } from '../world/oidc.ts'
import { GOLDEN } from '../world/oidcclaims.ts'
import { machineRow } from '../world/resourcegraph.ts'

const FORMAT = 'azure-attestation'
const HASH = 'wm9mHlvTU82e8UqoOy1Yj1FBRSNkfe99-69IYDq9eWs'
const GOLD = GOLDEN['azure-attestation']
const NONCE = '/x-ms-runtime/client-payload/nonce'
const OTHER_VM = '11111111-2222-4333-8444-555555555555'

async function start(t: TestContext) {
  const maa = await new FakePlatform(new TestClock(NOW), GOLD, undefined, [signer('maa')]).listen()
  t.after(() => maa.close())
  const attestation = {
    issuers: [GOLD.entry.issuer ?? ''],
    policyHashes: [HASH],
    jwks: { url: maa.jwksUrl, allowPrivate: true },
  }
  const stage = await setMachineStage(t, { settings: { attestation } })
  const mint = (change: (token: Draft) => void = () => {}) =>
    maa.mint((draft) => {
      put(draft.claims, 'x-ms-azurevm-vmid', VM_ID.toUpperCase())
      put(draft.claims, 'x-ms-policy-hash', HASH)
      put(draft.claims, NONCE, Buffer.from(CHALLENGE).toString('base64'))
      put(draft.header, 'jku', 'https://evil.example/certs')
      change(draft)
    })
  return { ...stage, maa, mint }
}

type Stage = Awaited<ReturnType<typeof start>>
const present = (stage: MachineStage, value: string) => show(stage, value, { format: FORMAT })

suite('a result of Azure Attestation beside a token', () => {
  test('tells what was measured, and Resource Graph tells of the machine', async (t) => {
    const stage = await start(t)
    const { second } = await present(stage, stage.mint())
    const graded = (name: string) => [second.facts[name]?.value, second.facts[name]?.grade]
    assert.deepEqual(graded('vm.id'), [VM_ID, 'A'])
    assert.deepEqual(graded('attested.vm'), [VM_ID, 'A'])
    assert.deepEqual(graded('attested.type'), ['sevsnpvm', 'A'])
    assert.deepEqual(graded('attested.policyHash'), [HASH, 'A'])
    assert.deepEqual(graded('vm.subscription'), [SUBSCRIPTION, 'B'])
    assert.deepEqual(graded('vm.vtpm'), [true, 'B'])
    assert.ok(!('subject' in second.facts) && !('entry' in second.facts))
    assert.deepEqual([second.subject, second.lineage], [VM_ID, [`azure-vm:${VM_ID}`]])
    assert.equal(second.expiresAt, NOW + 8 * 3600)
  })

  test('says which challenge it answers, without a request', async (t) => {
    const { attestor, mint, maa, graph } = await start(t)
    assert.equal(secondOf(attestor, FORMAT).claimedChallenge(mint()), CHALLENGE)
    assert.deepEqual([maa.requests, graph.asked], [[], []])
  })

  test('is one of two things that the entry takes; its keys are of their own', async (t) => {
    const stage = await start(t)
    await show(stage, stage.document())
    stage.maa.fault = 'error'
    await stage.attestor.start()
    const { ready, problem } = stage.attestor.health()
    assert.deepEqual([ready, problem !== null], [true, true])
    await refused(present(stage, stage.mint()), 'issuer_keys_unavailable')
    await attest(stage.attestor, stage.issuer.mint(), stage.clock)
  })
})

type Row = readonly [what: string, change: (token: Draft, stage: Stage) => void, reason: Reason]

const claim =
  (place: string, value: unknown) =>
  ({ claims }: Draft) =>
    put(claims, place, value)
const graph =
  (change: Record<string, unknown>) =>
  (_token: Draft, stage: Stage): void => {
    stage.graph.rows = [machineRow(change)]
  }

const ROWS: readonly Row[] = [
  ['of another provider', claim('iss', 'https://evil.weu.attest.azure.net'), 'issuer_untrusted'],
  ['of another policy', claim('x-ms-policy-hash', `${HASH.slice(0, -1)}t`), 'subject_untrusted'],
  [
    'over another challenge',
    claim(NONCE, Buffer.from('x').toString('base64')),
    'challenge_unknown',
  ],
  ['that names no machine', claim('x-ms-azurevm-vmid', undefined), 'claim_invalid'],
  ['of an enclave, which is no machine', claim('x-ms-attestation-type', 'sgx'), 'claim_invalid'],
  [
    'of hardware whose report does not name the machine',
    claim('/x-ms-isolation-tee/x-ms-attestation-type', 'tdxvm'),
    'claim_invalid',
  ],
  ['that ends now', claim('exp', NOW), 'token_expired'],
  ['of a machine that nobody knows', claim('x-ms-azurevm-vmid', OTHER_VM), 'machine_unknown'],
  [
    'of a machine that is twice there',
    (_token, stage) => void stage.graph.rows.push(machineRow()),
    'machine_unknown',
  ],
  ['of a machine of another tenant', graph({ tenantId: OTHER_TENANT }), 'machine_unknown'],
  [
    'of a machine with the identity of another',
    graph({ identity: { type: 'SystemAssigned', principalId: OTHER_VM } }),
    'attestation_mismatched',
  ],
  [
    'while Resource Graph fails',
    (_token, stage) => Object.assign(stage.graph, { fault: 'throttled' }),
    'inventory_unavailable',
  ],
]

suite('azure-attestation: start from a good result, break one thing', () => {
  for (const [what, change, reason] of ROWS) {
    test(`one ${what} is refused as ${reason}`, async (t) => {
      const stage = await start(t)
      await refused(
        present(
          stage,
          stage.mint((token) => change(token, stage)),
        ),
        reason,
      )
      assert.deepEqual(stage.graph.refused, [])
    })
  }

  test('CVE-2025-3879: a true result of one machine beside the token of another', async (t) => {
    const stage = await start(t)
    const theirs = { type: 'SystemAssigned', principalId: OTHER_VM }
    stage.graph.rows.push(machineRow({ vmId: OTHER_VM, identity: theirs }))
    const value = stage.mint(claim('x-ms-azurevm-vmid', OTHER_VM))
    const { detail } = await refused(present(stage, value), 'attestation_mismatched')
    assert.deepEqual(detail, { expected: OBJECT_ID, found: [OTHER_VM], machine: OTHER_VM })
  })

  test('one with a foreign signature drives no lookup', async (t) => {
    const stage = await start(t)
    const [head = '', body = '', signature = ''] = stage.mint().split('.')
    const forged = [head, body, signature.replace(/^../, 'AA')].join('.')
    await refused(present(stage, forged), 'signature_invalid')
    assert.deepEqual(stage.graph.asked, [])
  })

  test('one without any challenge claims none', async (t) => {
    const { attestor, mint } = await start(t)
    const second = secondOf(attestor, FORMAT)
    const bare = mint(claim('x-ms-runtime', {}))
    await refused(() => second.claimedChallenge(bare), 'challenge_unknown')
    await refused(() => second.claimedChallenge('a.b'), 'token_malformed')
  })
})
