/** Attested documents beside a managed identity's token: whose machine it is, and in what state. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Reason } from '../../src/refusal.ts'
import { attest, refused } from '../world/attest.ts'
import { OBJECT_ID, OTHER_TENANT } from '../world/azure.ts'
import { type MachineStage, secondOf, setMachineStage, show } from '../world/azuremachines.ts'
import { CHALLENGE, moment, NOW, SUBSCRIPTION, VM_ID } from '../world/cms.ts'
import { put } from '../world/kubernetes.ts'
import { machineRow } from '../world/resourcegraph.ts'

const OTHER_VM = '11111111-2222-4333-8444-555555555555'
const OTHER_SUBSCRIPTION = '66666666-7777-4888-9999-aaaaaaaaaaaa'
const OWN_PRINCIPAL = '0e6b4d2c-8a17-4f35-9c08-b1d7e3a5f960'

suite('an attested document beside a token', () => {
  test('names the machine, and Resource Graph tells of it, each with its grade', async (t) => {
    const stage = await setMachineStage(t)
    const { second } = await show(stage, stage.document())
    const facts = Object.entries(second.facts).map(([name, fact]) => [
      name,
      fact.value,
      fact.grade,
      fact.source,
    ])
    const arg = 'api:resourcegraph'
    assert.deepEqual(facts.sort(), [
      ['vm.encryptionAtHost', true, 'B', arg],
      ['vm.id', VM_ID, 'A', 'attested document'],
      ['vm.image', 'canonical:ubuntu-24_04-lts:server:24.04.202601010', 'B', arg],
      ['vm.location', 'westeurope', 'B', arg],
      ['vm.name', 'settle-1', 'B', arg],
      ['vm.powerState', 'running', 'B', arg],
      ['vm.resourceGroup', 'SETTLEMENT-EU', 'B', arg],
      ['vm.secureBoot', true, 'B', arg],
      ['vm.securityType', 'TrustedLaunch', 'B', arg],
      ['vm.sku', '20_04-lts-gen2', 'A', 'attested document'],
      ['vm.subscription', SUBSCRIPTION, 'A', 'attested document'],
      ['vm.tags', ['team=payments', 'a%3Db=c'], 'D', arg],
      ['vm.vtpm', true, 'B', arg],
      ['vm.zone', '1', 'B', arg],
    ])
    assert.deepEqual(second.lineage, [`azure-vm:${VM_ID}`])
    assert.equal(second.expiresAt, NOW + 21_600)
  })

  test('says which challenge it answers, and drives no request for that', async (t) => {
    const { attestor, document, graph } = await setMachineStage(t)
    assert.equal(secondOf(attestor, 'azure-document').claimedChallenge(document()), CHALLENGE)
    assert.deepEqual(graph.asked, [])
  })

  test('belongs to a token of the machine’s own identity, too', async (t) => {
    const stage = await setMachineStage(t)
    const token = stage.issuer.mint(({ claims }) => {
      put(claims, 'oid', OWN_PRINCIPAL)
      put(claims, 'sub', OWN_PRINCIPAL)
    })
    await show(stage, stage.document(), { token })
  })

  test('CVE-2025-3879: the token of one machine does not borrow the name of another', async (t) => {
    const stage = await setMachineStage(t)
    const { principalId: _theirs, ...identity } = machineRow()['identity'] as Record<
      string,
      unknown
    >
    const others = { ...identity, userAssignedIdentities: {}, principalId: OTHER_VM }
    stage.graph.rows.push(machineRow({ vmId: OTHER_VM, identity: others }))
    const refusal = await refused(
      show(stage, stage.document({ vmId: OTHER_VM })),
      'attestation_mismatched',
    )
    assert.deepEqual(refusal.detail, {
      expected: OBJECT_ID,
      found: [OTHER_VM],
      machine: OTHER_VM,
    })
    await show(stage, stage.document())
  })

  test('that is six hours old passes while it answers our challenge, until it ends', async (t) => {
    const stage = await setMachineStage(t)
    const dated = (from: number, until: number) => ({
      timeStamp: { createdOn: moment(NOW + from), expiresOn: moment(NOW + until) },
    })
    await show(stage, stage.document(dated(-21_590, 10)))
    await refused(show(stage, stage.document(dated(-21_600, 0))), 'token_expired')
    const nonce = 'another0challenge0of0somebody00'
    await refused(
      show(stage, stage.document({ ...dated(-10, 21_590), nonce })),
      'challenge_unknown',
    )
  })

  test('that ends while the machine is looked up is refused', async (t) => {
    const { attestor, document, clock } = await setMachineStage(t)
    const timeStamp = { createdOn: moment(NOW), expiresOn: moment(NOW + 30) }
    const second = secondOf(attestor, 'azure-document')
    const proof = await second.prepare(document({ timeStamp }), CHALLENGE, clock.seconds())
    assert.equal(proof.verify(NOW + 29).subject, VM_ID)
    await refused(() => proof.verify(NOW + 30), 'token_expired')
  })
})

type Row = readonly [what: string, change: (stage: MachineStage) => string, reason: Reason]

const withRow = (change: Record<string, unknown>) => (stage: MachineStage) => {
  stage.graph.rows = [machineRow(change)]
  return stage.document()
}

const ROWS: readonly Row[] = [
  [
    'of a machine that Resource Graph does not know',
    ({ document }) => document({ vmId: OTHER_VM }),
    'machine_unknown',
  ],
  [
    'of a machine that is twice there',
    ({ graph, document }) => {
      graph.rows.push(machineRow())
      return document()
    },
    'machine_unknown',
  ],
  [
    'of a machine that is three times there',
    ({ graph, document }) => {
      graph.rows.push(machineRow(), machineRow())
      return document()
    },
    'machine_unknown',
  ],
  ['of a machine of another tenant', withRow({ tenantId: OTHER_TENANT }), 'machine_unknown'],
  [
    'of a machine in another subscription of ours than the document names',
    withRow({
      subscriptionId: OTHER_SUBSCRIPTION,
      id: String(machineRow()['id']).replace(SUBSCRIPTION, OTHER_SUBSCRIPTION),
    }),
    'machine_unknown',
  ],
  [
    'of a subscription of nobody we know',
    ({ document }) => document({ subscriptionId: OTHER_VM }),
    'subject_untrusted',
  ],
  ['of a machine without an identity', withRow({ identity: null }), 'attestation_mismatched'],
  [
    'of a machine whose identity was deleted',
    withRow({ identity: { type: 'UserAssigned', userAssignedIdentities: { '/x': {} } } }),
    'attestation_mismatched',
  ],
  [
    'while Resource Graph fails',
    (stage) => {
      stage.graph.fault = 'error'
      return stage.document()
    },
    'inventory_unavailable',
  ],
  [
    'that was changed',
    ({ document }) => {
      const bytes = Buffer.from(document(), 'base64')
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 5) ^ 1, bytes.length - 5)
      return bytes.toString('base64')
    },
    'signature_invalid',
  ],
]

suite('azure-machines: start from a good document, break one thing', () => {
  for (const [what, change, reason] of ROWS) {
    test(`one ${what} is refused as ${reason}`, async (t) => {
      const settings = { subscriptions: [SUBSCRIPTION, OTHER_SUBSCRIPTION] }
      const stage = await setMachineStage(t, { settings })
      await refused(show(stage, change(stage)), reason)
      // What does not hold by itself drives no request.
      const isJudgedFirst = reason === 'signature_invalid' || reason === 'subject_untrusted'
      if (isJudgedFirst) assert.deepEqual(stage.graph.asked, [])
      assert.deepEqual(stage.graph.refused, [])
      const first = await attest(stage.attestor, stage.issuer.mint(), stage.clock)
      assert.ok(!('vm.id' in first.facts))
    })
  }
})

test('an entry takes documents only where it names subscriptions and authorities', async (t) => {
  const none = { subscriptions: undefined, intermediates: undefined, roots: undefined }
  for (const settings of [none, { ...none, subscriptions: [SUBSCRIPTION] }] as const) {
    const { attestor } = await setMachineStage(t, { settings: settings as object })
    assert.equal(attestor.second?.get('azure-document'), undefined)
  }
})
