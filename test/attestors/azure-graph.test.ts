/** Azure Resource Graph as a service that is asked seldom, fails, and whose answers are read strictly. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { GraphError, questionOf, readMachines } from '../../attestors/azure/graph.ts'
import { type Resources, resourcesAt } from '../../attestors/azure/resources.ts'
import { attest, refused } from '../world/attest.ts'
import { OBJECT_ID, TENANT } from '../world/azure.ts'
import { secondOf, setMachineStage, show } from '../world/azuremachines.ts'
import { TestClock } from '../world/clock.ts'
import { CHALLENGE, SUBSCRIPTION, VM_ID } from '../world/cms.ts'
import { identityEndpoint } from '../world/identityendpoint.ts'
import { FakeResourceGraph, type GraphFault, machineRow } from '../world/resourcegraph.ts'

const WANTED = { vm: VM_ID, subscriptions: [SUBSCRIPTION] }
const HOST = 'management.azure.com'

async function open(t: Parameters<FakeResourceGraph['listen']>[0]) {
  const clock = new TestClock()
  const graph = await new FakeResourceGraph(clock).listen(t)
  const world = { door: graph.door(), now: clock.now }
  const resources: Resources = resourcesAt(HOST, async () => graph.token, world)
  return { clock, graph, resources, world }
}

suite('Resource Graph is asked', () => {
  test('once for many who come at once, and again after half a minute', async (t) => {
    const { clock, graph, resources } = await open(t)
    await Promise.all([resources.find(WANTED), resources.find(WANTED), resources.find(WANTED)])
    clock.advance(29)
    await resources.find(WANTED)
    assert.equal(graph.asked.length, 1)
    graph.rows = []
    clock.advance(1)
    await refused(resources.find(WANTED), 'machine_unknown')
    assert.equal(graph.asked.length, 2)
  })

  test('CVE-2025-11621: anew where other subscriptions are meant: one answer is not another’s', async (t) => {
    const { graph, resources } = await open(t)
    await resources.find(WANTED)
    const elsewhere = { ...WANTED, subscriptions: [VM_ID] }
    await refused(resources.find(elsewhere), 'machine_unknown')
    assert.equal(graph.asked.length, 2)
  })

  const faults: readonly GraphFault[] = ['error', 'throttled', 'forbidden', 'page', 'redirect']
  for (const fault of faults) {
    test(`and answers ${fault}: 503, known to doctor, and asked again by the next`, async (t) => {
      const { graph, resources } = await open(t)
      graph.fault = fault
      const refusal = await refused(resources.find(WANTED), 'inventory_unavailable')
      assert.match(String(refusal.detail['problem']), /^Resource Graph at management\.azure\.com: /)
      const { fresh, problem } = resources.health()
      assert.deepEqual([fresh, problem], [false, refusal.detail['problem']])
      graph.fault = null
      await resources.find(WANTED)
      assert.equal(resources.health().problem, null)
    })
  }

  test('and says nothing for five seconds: 503', async (t) => {
    const { clock, graph, resources } = await open(t)
    graph.fault = 'slow'
    const asking = resources.find(WANTED)
    while (clock.pending().length === 0) await new Promise(setImmediate)
    clock.advance(5)
    await refused(asking, 'inventory_unavailable')
  })

  test('no more after five failures, for ten seconds; what failed stays the problem', async (t) => {
    const { clock, graph, resources } = await open(t)
    graph.fault = 'error'
    for (let time = 0; time < 5; time += 1) {
      await refused(resources.find(WANTED), 'inventory_unavailable')
    }
    const { problem } = resources.health()
    graph.fault = null
    const refusal = await refused(resources.find(WANTED), 'inventory_unavailable')
    assert.match(String(refusal.detail['problem']), /left alone/)
    assert.equal(resources.health().problem, problem)
    assert.deepEqual(graph.asked, [])
    clock.advance(10)
    await resources.find(WANTED)
  })

  test('by nobody without a credential, and the refusal does not say more than its kind', async (t) => {
    const { graph, world } = await open(t)
    class CredentialUnavailableError extends Error {
      override readonly name = 'CredentialUnavailableError'
    }
    const bearer = async () => {
      throw new CredentialUnavailableError('secret=abc')
    }
    const resources = resourcesAt(HOST, bearer, world)
    const refusal = await refused(resources.find(WANTED), 'inventory_unavailable')
    assert.match(String(refusal.detail['problem']), /no credential for it \(Credential/)
    assert.doesNotMatch(JSON.stringify(refusal.detail), /secret/)
    const stranger = resourcesAt(HOST, async () => 'another', world)
    await refused(stranger.find(WANTED), 'inventory_unavailable')
    assert.deepEqual(graph.asked, [])
  })

  test('as whoever the SDK finds, which is loaded for that', async (t) => {
    const stage = await setMachineStage(t, { ownCredential: true })
    const asked = await identityEndpoint(t, () => stage.graph.token)
    await show(stage, stage.document())
    assert.deepEqual(asked, ['https://management.azure.com'])
    assert.equal(stage.graph.asked.length, 1)
  })
})

suite('certificates of the operator', () => {
  test('are read again after a minute, and stay where the file is gone', async (t) => {
    const stage = await setMachineStage(t)
    await stage.attestor.start()
    const { intermediates = '' } = stage.settings
    const second = secondOf(stage.attestor, 'azure-document')
    const prepare = async () => second.prepare(stage.document(), CHALLENGE, stage.clock.seconds())
    writeFileSync(intermediates, 'nothing')
    await prepare()
    stage.clock.advance(60)
    await prepare()
    assert.match(stage.warnings.join(), /intermediates\.pem holds no certificates/)
    const [state] = stage.attestor.health().cluster ?? []
    assert.deepEqual([state?.fresh, state?.collection], [false, 'virtualMachines'])
    assert.match(String(state?.problem), /intermediates\.pem/)
  })

  test('that were never there make documents untrusted, and nothing else', async (t) => {
    const settings = { intermediates: join('/nowhere', 'intermediates.pem') }
    const stage = await setMachineStage(t, { settings })
    await stage.attestor.start()
    await attest(stage.attestor, stage.issuer.mint(), stage.clock)
    await refused(show(stage, stage.document()), 'certificate_untrusted')
    assert.equal(stage.warnings.length, 1)
  })
})

suite('an answer of Resource Graph', () => {
  const body = (rows: unknown, totalRecords: unknown = 1) =>
    JSON.stringify({ totalRecords, count: 1, data: rows, facets: [], resultTruncated: 'false' })
  const row = (change: Record<string, unknown>) => body([machineRow(change)])
  const id = String(machineRow()['id'])

  const broken: readonly (readonly [string, string])[] = [
    ['that is a page', '<html>'],
    ['that is a list', '[]'],
    ['without rows', '{"totalRecords":0}'],
    ['with rows that are an object', body({})],
    ['that leaves rows out', body([], 1)],
    ['that counts in texts', body([machineRow()], '1')],
    ['with a row that is a list', body([[]])],
    ['with a member twice', body([]).replace('{', '{"data":[],')],
    ['too deep', row({ tags: JSON.parse(`${'['.repeat(12)}${']'.repeat(12)}`) })],
    ['about another machine', row({ vmId: SUBSCRIPTION })],
    [
      'about another subscription',
      row({ subscriptionId: VM_ID, id: id.replace(SUBSCRIPTION, VM_ID) }),
    ],
    ['whose id is in another subscription', row({ id: id.replace(SUBSCRIPTION, VM_ID) })],
    [
      'whose id is of a scale set',
      row({ id: id.replace('virtualMachines', 'virtualMachineScaleSets') }),
    ],
    ['whose id goes on', row({ id: `${id}/extensions/x` })],
    ['without an id', row({ id: undefined })],
    ['without a tenant', row({ tenantId: null })],
    ['with an identity that is a text', row({ identity: OBJECT_ID })],
    ['with an identity that is a list', row({ identity: [{ principalId: OBJECT_ID }] })],
    ['with a principal that is a name', row({ identity: { principalId: 'settlement' } })],
    ['with assigned identities in a list', row({ identity: { userAssignedIdentities: [] } })],
    [
      'with an assigned identity that is a text',
      row({ identity: { userAssignedIdentities: { a: 'b' } } }),
    ],
    [
      'with an assigned principal that is a list',
      row({ identity: { userAssignedIdentities: { a: { principalId: [OBJECT_ID] } } } }),
    ],
  ]
  for (const [what, text] of broken) {
    test(`${what} is none`, () => {
      assert.throws(() => readMachines(text, WANTED), GraphError)
    })
  }

  const unknown: readonly (readonly [string, Record<string, unknown>, readonly string[]])[] = [
    [
      'no security profile',
      { security: null },
      ['vm.secureBoot', 'vm.vtpm', 'vm.securityType', 'vm.encryptionAtHost'],
    ],
    [
      'secure boot as a text',
      { security: { uefiSettings: { secureBootEnabled: 'true' } } },
      ['vm.secureBoot'],
    ],
    ['two zones', { zones: ['1', '2'] }, ['vm.zone']],
    ['a power state of another kind', { power: 'running' }, ['vm.powerState']],
    ['an image of nothing', { image: {} }, ['vm.image']],
    ['an image id with a line feed', { image: { id: '/a\nb' } }, ['vm.image']],
  ]
  for (const [what, change, facts] of unknown) {
    test(`with ${what} leaves ${facts.join(', ')} unknown, and the machine known`, () => {
      const [machine] = readMachines(row(change), WANTED)
      assert.equal(machine?.tenant, TENANT)
      for (const fact of facts) assert.equal(machine?.settings[fact], undefined)
    })
  }

  test('of an own image has the id of the gallery’s version', () => {
    const image = {
      id: '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/a',
    }
    const [machine] = readMachines(row({ image }), WANTED)
    assert.equal(machine?.settings['vm.image'], image.id)
  })

  test('leaves tags unknown that are no texts, or too many', () => {
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`t${at}`, '']))
    for (const tags of [null, ['a'], { a: 1 }, many]) {
      assert.equal(readMachines(row({ tags }), WANTED)[0]?.tags, undefined)
    }
  })
})

test('a question holds UUIDs in lower case and nothing else', () => {
  for (const vm of ["x' or '1' == '1", VM_ID.toUpperCase(), '', `${VM_ID}\n`]) {
    assert.throws(() => questionOf({ ...WANTED, vm }), /not a UUID/)
    assert.throws(() => questionOf({ ...WANTED, subscriptions: [vm] }), /not a UUID/)
  }
})
