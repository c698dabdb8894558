/**
 * What the containers of a pod may do, as the kubelet and the runtime see it: settings of the pod and of each
 * container merged (k8s.io/kubernetes pkg/securitycontext), over containers, init containers, sidecars and
 * debug containers alike. One container that may do something is enough. No I/O. No clock.
 */

import type { JsonObject } from '../../src/net/json.ts'
import { boundedSet, flag, object, objects, text, texts, whole } from './fields.ts'
import type { FoundFacts } from './records.ts'

/** Where a pod's spec keeps its containers. Sidecars are init containers that go on. */
export const CONTAINER_LISTS = ['containers', 'initContainers', 'ephemeralContainers'] as const

/** Every container of a pod's spec. @throws Misshapen */
export function containersOf(spec: JsonObject): readonly JsonObject[] {
  return CONTAINER_LISTS.flatMap((name) => objects(spec, name))
}

/** What holds for one container in the end. */
type Confinement = {
  readonly privileged: boolean
  readonly escalates: boolean
  readonly runAsNonRoot: boolean
  readonly readOnlyRoot: boolean
  readonly added: readonly string[]
  readonly dropped: readonly string[]
  readonly seccomp: string
}

/** Facts about the security of a pod. @throws Misshapen */
export function securityOf(spec: JsonObject): FoundFacts {
  const containers = containersOf(spec)
  const confined = containers.map((container) => confinementOf(container, spec))
  const some = (test: (each: Confinement) => boolean) => confined.some(test)
  const every = (test: (each: Confinement) => boolean) => confined.every(test)
  const [first, ...others] = confined.map(({ dropped }) => dropped)
  return {
    'pod.hostNetwork': flag(spec, 'hostNetwork') === true,
    'pod.hostPid': flag(spec, 'hostPID') === true,
    'pod.hostIpc': flag(spec, 'hostIPC') === true,
    'pod.hostPath': objects(spec, 'volumes').some(
      (volume) => (volume['hostPath'] ?? null) !== null,
    ),
    'pod.hostPorts': containers.some((container) =>
      objects(container, 'ports').some((port) => (whole(port, 'hostPort') ?? 0) !== 0),
    ),
    'pod.userNamespace': flag(spec, 'hostUsers') === false,
    'pod.privileged': some(({ privileged }) => privileged),
    'pod.privilegeEscalation': some(({ escalates }) => escalates),
    'pod.runAsNonRoot': every(({ runAsNonRoot }) => runAsNonRoot),
    'pod.readOnlyRoot': every(({ readOnlyRoot }) => readOnlyRoot),
    'pod.capabilitiesAdded': boundedSet(confined.flatMap(({ added }) => added)),
    'pod.capabilitiesDropped': boundedSet(
      (first ?? []).filter((name) => others.every((dropped) => dropped.includes(name))),
    ),
    'pod.seccompProfiles': boundedSet(confined.map(({ seccomp }) => seccomp)),
    'pod.debugged': objects(spec, 'ephemeralContainers').length > 0,
    'pod.runtimeClass': text(spec, 'runtimeClassName'),
  }
}

function confinementOf(container: JsonObject, spec: JsonObject): Confinement {
  const own = object(container, 'securityContext')
  const shared = object(spec, 'securityContext')
  const capabilities = object(own, 'capabilities')
  const user = whole(own, 'runAsUser') ?? whole(shared, 'runAsUser')
  const privileged = flag(own, 'privileged') === true || isHostProcess(own, shared)
  const added = privileged ? ['ALL'] : texts(capabilities, 'add').map(capability)
  const mightBecomeRoot = added.includes('ALL') || added.includes('SYS_ADMIN')
  return {
    privileged,
    // Unset means yes; and nothing keeps privileged containers and CAP_SYS_ADMIN from it.
    escalates:
      privileged || mightBecomeRoot || (flag(own, 'allowPrivilegeEscalation') ?? true) === true,
    // The kubelet does not start user 0 under runAsNonRoot; here it counts as what it asks to be.
    runAsNonRoot:
      (flag(own, 'runAsNonRoot') ?? flag(shared, 'runAsNonRoot') ?? false) && user !== 0,
    readOnlyRoot: flag(own, 'readOnlyRootFilesystem') === true,
    added,
    dropped: privileged ? [] : texts(capabilities, 'drop').map(capability),
    seccomp: privileged ? 'Unconfined' : seccompOf(own, shared),
  }
}

/** On Windows, the counterpart of privileged. */
function isHostProcess(own: JsonObject, shared: JsonObject): boolean {
  const [inner, outer] = [object(own, 'windowsOptions'), object(shared, 'windowsOptions')]
  return (flag(inner, 'hostProcess') ?? flag(outer, 'hostProcess')) === true
}

/** Runtimes take `cap_sys_admin` as well; there shall be one spelling of each. */
function capability(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, '')
}

/** Unset is left to a setting of the kubelet (`seccompDefault`) that the API does not show. */
function seccompOf(own: JsonObject, shared: JsonObject): string {
  const [inner, outer] = [object(own, 'seccompProfile'), object(shared, 'seccompProfile')]
  return text(inner, 'type') ?? text(outer, 'type') ?? 'Unset'
}
