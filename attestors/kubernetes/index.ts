/** The kind `kubernetes`: a row of the table in `attestors/index.ts`, and how the parts of an entry are put together. */

import type { Attestor, AttestorKind, IssuerFault, TrustCommon } from '../../src/identity.ts'
import { systemTimers } from '../../src/net/timers.ts'
import { lookup } from '../images/lookup.ts'
import { ImageSignatures } from '../images/signatures.ts'
import { KubernetesAttestor, type KubernetesWorld } from './attestor.ts'
import { clusterApi } from './client.ts'
import { clusterView, type Projections } from './clusterview.ts'
import { DiscoveringAttestor } from './discovering.ts'
import type { ClusterAccess } from './entry.ts'
import { projectNamespace, projectNode, projectPod, projectServiceAccount } from './projection.ts'
import {
  checkKubernetes,
  DEFAULT_ALGORITHMS,
  KubernetesSettings,
  watchesCluster,
} from './settings.ts'

const PROJECTIONS: Projections = {
  pods: projectPod,
  nodes: projectNode,
  namespaces: projectNamespace,
  serviceaccounts: projectServiceAccount,
}

/** Service accounts of Kubernetes clusters, by projected token. */
export const kubernetes: AttestorKind<KubernetesSettings> = {
  kind: 'kubernetes',
  schema: KubernetesSettings,
  name: (settings) => settings.cluster,
  issuers: ({ issuer }) => (issuer === undefined ? [] : [issuer]),
  oneTime: ({ replay }) => replay === 'once',
  anchor: (settings) => ({ type: 'Cluster', id: settings.cluster }),
  check: checkKubernetes,
  create: (settings, common, world, faultOf) =>
    kubernetesAttestor(settings, common, world, faultOf),
}

/** Makes the attestor of one entry. Nothing is connected before it is started. */
export function kubernetesAttestor(
  settings: KubernetesSettings,
  common: TrustCommon,
  world: KubernetesWorld,
  faultOf: IssuerFault,
): Attestor {
  const access = accessTo(settings, common, world)
  const settle = (issuer: string) =>
    new KubernetesAttestor({ ...settings, issuer }, common, world, access)
  if (settings.issuer !== undefined) return settle(settings.issuer)
  if (access === null) throw new Error(`${common.trust} has neither issuer nor api`)
  return new DiscoveringAttestor({
    ...common,
    algorithms: settings.algorithms ?? DEFAULT_ALGORITHMS,
    api: access.api,
    timers: world.timers ?? systemTimers,
    faultOf,
    settle,
    warn: (detail, sentence) => world.warn({ trust: common.trust, ...detail }, sentence),
  })
}

function accessTo(
  settings: KubernetesSettings,
  { trust }: TrustCommon,
  world: KubernetesWorld,
): ClusterAccess | null {
  if (settings.api === undefined) return null
  const { door, now, timers = systemTimers } = world
  const api = clusterApi(settings.api, { door, timers, now })
  if (!watchesCluster(settings)) return { api, view: null, signatures: null }
  const warn: KubernetesWorld['warn'] = (detail, sentence) =>
    world.warn({ trust, ...detail }, sentence)
  const { images } = settings
  return {
    api,
    view: clusterView({ api, project: PROJECTIONS, now, timers, warn }),
    signatures:
      images === undefined ? null : new ImageSignatures(lookup(images, door), { now, warn }),
  }
}
