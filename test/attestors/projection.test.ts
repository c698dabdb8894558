import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { FactName } from '../../attestors/kubernetes/grades.ts'
import {
  projectNamespace,
  projectNode,
  projectPod,
  projectServiceAccount,
} from '../../attestors/kubernetes/projection.ts'
import type { RecordValue } from '../../attestors/kubernetes/records.ts'
import { POD_UID } from '../world/cluster.ts'
import {
  agentsNamespace,
  container,
  DIGEST,
  type Draft,
  homeNode,
  plannerAccount,
  plannerPod,
} from '../world/workload.ts'

/** What is changed, and the facts that are then other than those of the good object; undefined is unknown. */
type Row = readonly [
  what: string,
  change: (draft: Draft) => void,
  facts: Partial<Record<FactName, RecordValue | undefined>>,
]

const OTHER = `sha256:${'b'.repeat(64)}`

const POD_FACTS = {
  podLabels: ['app=planner'],
  'pod.owner.kind': 'StatefulSet',
  'pod.owner.name': 'planner',
  'pod.hostNetwork': false,
  'pod.hostPid': false,
  'pod.hostIpc': false,
  'pod.hostPath': false,
  'pod.hostPorts': false,
  'pod.userNamespace': false,
  'pod.privileged': false,
  'pod.privilegeEscalation': false,
  'pod.runAsNonRoot': true,
  'pod.readOnlyRoot': true,
  'pod.capabilitiesAdded': [],
  'pod.capabilitiesDropped': ['ALL'],
  'pod.seccompProfiles': ['RuntimeDefault'],
  'pod.debugged': false,
  'pod.restarts': 3,
  'image.digestPinned': true,
  'image.pinnedDigests': [DIGEST],
  'image.digests': [DIGEST],
}

const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`label-${index}`, 'x']))

// biome-ignore format: a table, one row a line
const POD_ROWS: readonly Row[] = [
  ['no labels', ({ metadata }) => delete metadata.labels, { podLabels: [] }],
  ['a label without value', ({ metadata }) => { metadata.labels = { spot: '' } }, { podLabels: ['spot='] }],
  ['more labels than are kept', ({ metadata }) => { metadata.labels = many(101) }, { podLabels: undefined }],
  ['a label that is too long', ({ metadata }) => { metadata.labels = { a: 'x'.repeat(600) } }, { podLabels: undefined }],
  ['no controller', ({ metadata }) => { metadata.ownerReferences.pop() }, { 'pod.owner.kind': undefined, 'pod.owner.name': undefined }],
  ['a controller of endless name', ({ metadata }) => { metadata.ownerReferences[1].name = 'x'.repeat(600) }, { 'pod.owner.kind': undefined, 'pod.owner.name': undefined }],
  ['hostNetwork', ({ spec }) => { spec.hostNetwork = true }, { 'pod.hostNetwork': true }],
  ['hostPID', ({ spec }) => { spec.hostPID = true }, { 'pod.hostPid': true }],
  ['hostIPC', ({ spec }) => { spec.hostIPC = true }, { 'pod.hostIpc': true }],
  ['a hostPath volume', ({ spec }) => spec.volumes.push({ name: 'h', hostPath: { path: '/' } }), { 'pod.hostPath': true }],
  ['a hostPort', ({ spec }) => { spec.containers[0].ports = [{ containerPort: 80, hostPort: 80 }] }, { 'pod.hostPorts': true }],
  ['a port of its own', ({ spec }) => { spec.containers[0].ports = [{ containerPort: 80 }] }, {}],
  ['a user namespace', ({ spec }) => { spec.hostUsers = false }, { 'pod.userNamespace': true }],
  ['a runtime class', ({ spec }) => { spec.runtimeClassName = 'gvisor' }, { 'pod.runtimeClass': 'gvisor' }],
  ['a debug container, as hardened as the others', ({ spec, status }) => {
    spec.ephemeralContainers = [container('debug')]
    status.ephemeralContainerStatuses = [{ name: 'debug', imageID: `debug@${OTHER}` }]
  }, { 'pod.debugged': true, 'image.digests': [DIGEST, OTHER] }],
  ['no status yet', (pod) => delete pod.status, { 'pod.restarts': undefined, 'image.digests': undefined }],
  ['an image by tag', ({ spec }) => { spec.containers[0].image = 'registry.example.com/agent:1' }, { 'image.digestPinned': false }],
  ['an image by tag in an init container', ({ spec }) => { spec.initContainers[0].image = 'setup' }, { 'image.digestPinned': false }],
  ['an image volume by tag', ({ spec }) => spec.volumes.push({ name: 'm', image: { reference: 'model:1' } }), { 'image.digestPinned': false }],
  ['an image volume by digest', ({ spec }) => spec.volumes.push({ name: 'm', image: { reference: `model@${OTHER}` } }), { 'image.pinnedDigests': [DIGEST, OTHER] }],
  ['a digest that is cut short', ({ spec }) => { spec.containers[0].image = `agent@${DIGEST.slice(0, -1)}` }, { 'image.digestPinned': false }],
  ['an image that is not pulled yet', ({ status }) => { status.containerStatuses[0].imageID = '' }, { 'image.digests': undefined }],
  ['an image known by its id alone', ({ status }) => { status.containerStatuses[0].imageID = OTHER }, { 'image.digests': [DIGEST, OTHER] }],
  ['a container without status', ({ status }) => { status.containerStatuses = [] }, { 'image.digests': undefined, 'pod.restarts': 1 }],
]

const NODE_FACTS = {
  nodeLabels: [
    'kubernetes.io/os=linux',
    'topology.kubernetes.io/region=eu-west-1',
    'topology.kubernetes.io/zone=eu-west-1a',
  ],
  nodeRestrictedLabels: ['node-restriction.kubernetes.io/pool=vault'],
  'node.ready': true,
  'node.cordoned': false,
  'node.taints': ['dedicated=agents:NoSchedule', 'spot:NoExecute'],
  'node.providerId': 'aws:///eu-west-1a/i-0123',
  'node.region': 'eu-west-1',
  'node.zone': 'eu-west-1a',
  'node.kubelet.major': 1,
  'node.kubelet.minor': 34,
  'node.kubelet.patch': 2,
  'node.kernel': '6.8.0-45-generic',
  'node.kernelVersion.major': 6,
  'node.kernelVersion.minor': 8,
  'node.kernelVersion.patch': 0,
  'node.runtime.name': 'containerd',
  'node.runtime.major': 2,
  'node.runtime.minor': 1,
  'node.runtime.patch': 4,
  'node.os': 'linux',
  'node.osImage': 'Ubuntu 24.04.3 LTS',
  'node.osVersion.major': 24,
  'node.osVersion.minor': 4,
  'node.osVersion.patch': 3,
  'node.architecture': 'amd64',
}

const nothingOf = (prefix: string) => ({
  [`${prefix}.major`]: undefined,
  [`${prefix}.minor`]: undefined,
  [`${prefix}.patch`]: undefined,
})

// biome-ignore format: a table, one row a line
const NODE_ROWS: readonly Row[] = [
  ['not ready', ({ status }) => { status.conditions[1].status = 'False' }, { 'node.ready': false }],
  ['out of sight of its controller', ({ status }) => { status.conditions[1].status = 'Unknown' }, { 'node.ready': false }],
  ['new, without conditions', ({ status }) => { status.conditions = [] }, { 'node.ready': undefined }],
  ['cordoned', ({ spec }) => { spec.unschedulable = true }, { 'node.cordoned': true }],
  ['no taints', ({ spec }) => delete spec.taints, { 'node.taints': [] }],
  ['no provider', ({ spec }) => delete spec.providerID, { 'node.providerId': undefined }],
  ['a restricted label of a subdomain', ({ metadata }) => { metadata.labels = { 'a.node-restriction.kubernetes.io/b': 'c' } }, {
    nodeLabels: [], nodeRestrictedLabels: ['a.node-restriction.kubernetes.io/b=c'], 'node.region': undefined, 'node.zone': undefined,
  }],
  ['a label that only looks restricted', ({ metadata }) => { metadata.labels = { 'xnode-restriction.kubernetes.io/b': 'c' } }, {
    nodeLabels: ['xnode-restriction.kubernetes.io/b=c'], nodeRestrictedLabels: [], 'node.region': undefined, 'node.zone': undefined,
  }],
  ['a kubelet without version', ({ status }) => { status.nodeInfo.kubeletVersion = 'unknown' }, nothingOf('node.kubelet')],
  ['a kubelet 1.9', ({ status }) => { status.nodeInfo.kubeletVersion = 'v1.9' }, { 'node.kubelet.minor': 9, 'node.kubelet.patch': undefined }],
  ['a kernel with four numbers', ({ status }) => { status.nodeInfo.kernelVersion = '5.15.167.4-microsoft' }, {
    'node.kernel': '5.15.167.4-microsoft', 'node.kernelVersion.major': 5, 'node.kernelVersion.minor': 15, 'node.kernelVersion.patch': 167,
  }],
  ['a runtime that does not say its version', ({ status }) => { status.nodeInfo.containerRuntimeVersion = 'cri-o://Unknown' }, { ...nothingOf('node.runtime'), 'node.runtime.name': 'cri-o' }],
  ['an operating system without version', ({ status }) => { status.nodeInfo.osImage = 'Container-Optimized OS from Google' }, {
    ...nothingOf('node.osVersion'), 'node.osImage': 'Container-Optimized OS from Google',
  }],
  ['an operating system with a version in brackets', ({ status }) => { status.nodeInfo.osImage = 'Talos (v1.11.2)' }, {
    'node.osImage': 'Talos (v1.11.2)', 'node.osVersion.major': 1, 'node.osVersion.minor': 11, 'node.osVersion.patch': 2,
  }],
]

const NAMESPACE_FACTS = {
  namespaceLabels: [
    'pod-security.kubernetes.io/enforce-version=v1.34',
    'pod-security.kubernetes.io/enforce=restricted',
    'team=agents',
  ],
  'podSecurity.enforce': 'restricted',
  'podSecurity.version': 'v1.34',
}

// biome-ignore format: a table, one row a line
const NAMESPACE_ROWS: readonly Row[] = [
  ['no labels', ({ metadata }) => delete metadata.labels, { namespaceLabels: [], 'podSecurity.enforce': undefined, 'podSecurity.version': undefined }],
  ['a level that does not exist', ({ metadata }) => { metadata.labels = { 'pod-security.kubernetes.io/enforce': 'strict' } }, {
    namespaceLabels: ['pod-security.kubernetes.io/enforce=strict'], 'podSecurity.enforce': undefined, 'podSecurity.version': undefined,
  }],
  ['a level that only warns', ({ metadata }) => { metadata.labels = { 'pod-security.kubernetes.io/warn': 'restricted' } }, {
    namespaceLabels: ['pod-security.kubernetes.io/warn=restricted'], 'podSecurity.enforce': undefined, 'podSecurity.version': undefined,
  }],
]

const KINDS = [
  ['pod', projectPod, plannerPod, POD_FACTS, POD_ROWS],
  ['node', projectNode, homeNode, NODE_FACTS, NODE_ROWS],
  ['namespace', projectNamespace, agentsNamespace, NAMESPACE_FACTS, NAMESPACE_ROWS],
] as const

for (const [kind, project, good, facts, rows] of KINDS) {
  suite(`facts of a ${kind}`, () => {
    test('are all that the object says', () => assert.deepEqual(project(good())?.facts, facts))
    for (const [what, change, changed] of rows) {
      test(what, () => {
        const expected = Object.entries({ ...facts, ...changed })
        const known = expected.filter(([, value]) => value !== undefined)
        assert.deepEqual(project(good(change))?.facts, Object.fromEntries(known))
      })
    }
  })
}

test('a pod’s record has what liveness compares', () => {
  const { facts: _, ...record } = projectPod(plannerPod()) ?? assert.fail()
  assert.deepEqual(record, {
    namespace: 'agents',
    name: 'planner-0',
    uid: POD_UID,
    serviceAccount: 'planner',
    node: 'node-1',
    phase: 'Running',
    images: ['agent', 'setup'].map((name) => ({
      reference: `registry.example.com/${name}@${DIGEST}`,
      digest: DIGEST,
      isPinned: true,
    })),
    deletionAt: null,
  })
  const deleting = plannerPod(({ metadata, spec }) => {
    metadata.deletionTimestamp = '2027-01-15T08:00:30Z'
    delete spec.nodeName
  })
  assert.equal(projectPod(deleting)?.deletionAt, 1_800_000_030)
  assert.equal(projectPod(deleting)?.node, null)
})

test('a pod’s record is about a kilobyte', () => {
  const bytes = JSON.stringify(projectPod(plannerPod())).length
  assert.ok(bytes < 1_500, `${bytes}`)
})

suite('what has not the shape of its kind is no record', () => {
  // biome-ignore format: a table, one row a line
  const rows: readonly (readonly [string, (draft: Draft) => void])[] = [
    ['no metadata', (pod) => delete pod.metadata],
    ['no uid', ({ metadata }) => delete metadata.uid],
    ['an empty name', ({ metadata }) => { metadata.name = '' }],
    ['no namespace', ({ metadata }) => delete metadata.namespace],
    ['a deletion at no time', ({ metadata }) => { metadata.deletionTimestamp = 'soon' }],
    ['no service account', ({ spec }) => delete spec.serviceAccountName],
    ['no containers', ({ spec }) => { spec.containers = [] }],
    ['a container that is a text', ({ spec }) => spec.containers.push('x')],
    ['privileged in a text', ({ spec }) => { spec.containers[0].securityContext.privileged = 'false' }],
    ['capabilities in a text', ({ spec }) => { spec.containers[0].securityContext.capabilities.drop = 'ALL' }],
    ['a label that is a number', ({ metadata }) => { metadata.labels = { a: 1 } }],
    ['half a surrogate pair', ({ metadata }) => { metadata.labels = { a: '\ud800' } }],
  ]
  for (const [what, change] of rows) {
    test(what, () => assert.equal(projectPod(plannerPod(change)), null))
  }

  const all = [projectPod, projectNode, projectNamespace, projectServiceAccount]
  test('whatever JSON comes, it is a record or null', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (json) => {
        for (const project of all) assert.ok(project(json as Draft) !== undefined)
      }),
    )
  })

  test('and so whatever stands in any one place of a good object', () => {
    const good = [plannerPod(), homeNode(), agentsNamespace(), plannerAccount()]
    fc.assert(
      fc.property(fc.nat(), fc.jsonValue(), (seed, json) => {
        for (const [index, project] of all.entries()) {
          const draft = structuredClone(good[index])
          plant(draft, seed, json)
          const record = project(draft)
          assert.ok(record === null || typeof record.uid === 'string')
        }
      }),
      { numRuns: 500 },
    )
  })
})

/** Puts a value in the place of one member, which the seed chooses. */
function plant(draft: Draft, seed: number, json: unknown): void {
  const places: [Draft, string][] = []
  const visit = (value: Draft) => {
    if (typeof value !== 'object' || value === null) return
    for (const name of Object.keys(value)) {
      places.push([value, name])
      visit(value[name])
    }
  }
  visit(draft)
  const [parent, name] = places[seed % places.length] ?? assert.fail()
  parent[name] = json
}
