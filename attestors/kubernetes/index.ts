/** The kind `kubernetes`: a row of the table in `attestors/index.ts`. */

import type { AttestorKind } from '../../src/identity.ts'
import { KubernetesAttestor } from './attestor.ts'
import { checkKubernetes, KubernetesSettings } from './settings.ts'

/** Service accounts of Kubernetes clusters, by projected token. */
export const kubernetes: AttestorKind<KubernetesSettings> = {
  kind: 'kubernetes',
  schema: KubernetesSettings,
  name: (settings) => settings.cluster,
  issuers: (settings) => [settings.issuer],
  anchor: (settings) => ({ type: 'Cluster', id: settings.cluster }),
  check: checkKubernetes,
  create: (settings, common, world) => new KubernetesAttestor(settings, common, world),
}
