import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { FactName } from '../../attestors/kubernetes/grades.ts'
import { projectPod } from '../../attestors/kubernetes/projection.ts'
import { type Draft, plannerPod } from '../world/workload.ts'

/** A pod with one container: settings of the pod, settings of the container, and what then holds. */
type Row = readonly [what: string, pod: object, container: object, fact: FactName, holds: unknown]

const unconfined = { seccompProfile: { type: 'Unconfined' } }
const runtimeDefault = { seccompProfile: { type: 'RuntimeDefault' } }

// biome-ignore format: a table, one row a line
const MERGES: readonly Row[] = [
  ['nothing said', {}, {}, 'pod.runAsNonRoot', false],
  ['non-root by the pod', { runAsNonRoot: true }, {}, 'pod.runAsNonRoot', true],
  ['non-root by the container', {}, { runAsNonRoot: true }, 'pod.runAsNonRoot', true],
  ['the container overrides the pod', { runAsNonRoot: true }, { runAsNonRoot: false }, 'pod.runAsNonRoot', false],
  ['null is not said', { runAsNonRoot: true }, { runAsNonRoot: null }, 'pod.runAsNonRoot', true],
  ['non-root, but user 0 by the pod', { runAsNonRoot: true, runAsUser: 0 }, {}, 'pod.runAsNonRoot', false],
  ['user 0 by the container', { runAsNonRoot: true, runAsUser: 1000 }, { runAsUser: 0 }, 'pod.runAsNonRoot', false],
  ['another user by the container', { runAsNonRoot: true, runAsUser: 0 }, { runAsUser: 1000 }, 'pod.runAsNonRoot', true],
  ['a user alone promises nothing', { runAsUser: 1000 }, {}, 'pod.runAsNonRoot', false],
  ['privileged', {}, { privileged: true }, 'pod.privileged', true],
  ['not privileged', {}, { privileged: false }, 'pod.privileged', false],
  ['privileged is no setting of pods', { privileged: true }, {}, 'pod.privileged', false],
  ['a host process by the pod', { windowsOptions: { hostProcess: true } }, {}, 'pod.privileged', true],
  ['a host process by the container', {}, { windowsOptions: { hostProcess: true } }, 'pod.privileged', true],
  ['escalation unset', {}, {}, 'pod.privilegeEscalation', true],
  ['escalation off', {}, { allowPrivilegeEscalation: false }, 'pod.privilegeEscalation', false],
  ['escalation off, but privileged', {}, { allowPrivilegeEscalation: false, privileged: true }, 'pod.privilegeEscalation', true],
  ['escalation off, but SYS_ADMIN', {}, { allowPrivilegeEscalation: false, capabilities: { add: ['CAP_SYS_ADMIN'] } }, 'pod.privilegeEscalation', true],
  ['capabilities in any spelling', {}, { capabilities: { add: ['cap_net_raw', 'NET_ADMIN'] } }, 'pod.capabilitiesAdded', ['NET_ADMIN', 'NET_RAW']],
  ['a privileged container has all', {}, { privileged: true, capabilities: { drop: ['ALL'] } }, 'pod.capabilitiesAdded', ['ALL']],
  ['a privileged container drops none', {}, { privileged: true, capabilities: { drop: ['ALL'] } }, 'pod.capabilitiesDropped', []],
  ['nothing dropped', {}, {}, 'pod.capabilitiesDropped', []],
  ['a root file system unset', {}, {}, 'pod.readOnlyRoot', false],
  ['a root file system read-only', {}, { readOnlyRootFilesystem: true }, 'pod.readOnlyRoot', true],
  ['a root file system is no setting of pods', { readOnlyRootFilesystem: true }, {}, 'pod.readOnlyRoot', false],
  ['seccomp unset', {}, {}, 'pod.seccompProfiles', ['Unset']],
  ['seccomp by the pod', runtimeDefault, {}, 'pod.seccompProfiles', ['RuntimeDefault']],
  ['seccomp by the container', {}, { seccompProfile: { type: 'Localhost', localhostProfile: 'a' } }, 'pod.seccompProfiles', ['Localhost']],
  ['seccomp: the container overrides', runtimeDefault, unconfined, 'pod.seccompProfiles', ['Unconfined']],
  ['seccomp does not hold a privileged container', runtimeDefault, { ...runtimeDefault, privileged: true }, 'pod.seccompProfiles', ['Unconfined']],
]

suite('settings of pod and container are merged as Kubernetes does', () => {
  for (const [what, pod, own, fact, holds] of MERGES) {
    test(`${what}: ${fact} is ${JSON.stringify(holds)}`, () => {
      const draft = plannerPod(({ spec }) => {
        spec.securityContext = pod
        spec.containers = [{ name: 'agent', securityContext: own }]
        delete spec.initContainers
      })
      assert.deepEqual(projectPod(draft)?.facts[fact], holds)
    })
  }
})

suite('one container of any list is enough', () => {
  const bad = {
    name: 'bad',
    image: 'bad',
    securityContext: { privileged: true, runAsNonRoot: false },
  }
  const places: readonly (readonly [string, (spec: Draft) => void])[] = [
    ['containers', ({ containers }) => containers.push(bad)],
    ['init containers', ({ initContainers }) => initContainers.push(bad)],
    ['sidecars', ({ initContainers }) => initContainers.push({ ...bad, restartPolicy: 'Always' })],
    ['debug containers', (spec) => void Object.assign(spec, { ephemeralContainers: [bad] })],
  ]
  for (const [what, add] of places) {
    test(what, () => {
      const { facts } = projectPod(plannerPod(({ spec }) => add(spec))) ?? assert.fail()
      assert.equal(facts['pod.privileged'], true)
      assert.equal(facts['pod.privilegeEscalation'], true)
      assert.equal(facts['pod.runAsNonRoot'], false)
      assert.equal(facts['pod.readOnlyRoot'], false)
      assert.deepEqual(facts['pod.capabilitiesAdded'], ['ALL'])
      assert.deepEqual(facts['pod.capabilitiesDropped'], [])
      assert.deepEqual(facts['pod.seccompProfiles'], ['RuntimeDefault', 'Unconfined'])
      assert.equal(facts['image.digestPinned'], false)
    })
  }
})
