/** A fake cluster and an attestor that trusts it, not started. */

import type { TestContext } from 'node:test'
import type { ImageSignatures } from '../../attestors/images/signatures.ts'
import { KubernetesAttestor } from '../../attestors/kubernetes/attestor.ts'
import { clusterApi } from '../../attestors/kubernetes/client.ts'
import type { KubernetesSettings } from '../../attestors/kubernetes/settings.ts'
import { createDoor } from '../../src/net/fetch.ts'
import { TestClock } from './clock.ts'
import { FakeCluster } from './cluster.ts'
import { MemoryView } from './clusterview.ts'
import { type Signer, signer } from './keys.ts'

export const AUDIENCE = 'https://countersign.example/k8s/prod-eu'
export const ISSUER = 'https://kubernetes.default.svc.cluster.local'

/** What differs from an ordinary cluster with one RSA key whose keys are fetched by URL. */
export type StageOptions = {
  readonly settings?: Partial<KubernetesSettings>
  readonly audience?: string
  readonly signers?: readonly Signer[]
  /** Ask the cluster's API about each token. */
  readonly reviews?: boolean
  /** Look at the cluster through `view`, which is in step with it. */
  readonly watches?: boolean
  /** What looks at the signatures of its images. */
  readonly signatures?: (clock: TestClock) => ImageSignatures
}

/** Closed when the test ends. */
export async function setStage(t: TestContext, options: StageOptions = {}) {
  const clock = new TestClock()
  const audience = options.audience ?? AUDIENCE
  const { signers = [signer('cluster')] } = options
  const issuer = new FakeCluster({ clock, audience, issuer: ISSUER, signers })
  await issuer.listen()
  const jwks = { url: issuer.jwksUrl, allowPrivate: true }
  const api = { kubeconfig: issuer.kubeconfig() }
  const asks = options.reviews === true || options.watches === true
  const liveness = options.reviews === true ? { liveness: 'tokenreview' as const } : {}
  const settings = {
    cluster: 'prod-eu',
    issuer: ISSUER,
    jwks,
    ...(asks ? { api, ...liveness } : {}),
    ...options.settings,
  }
  const warnings: string[] = []
  const door = createDoor({ timers: clock.timers })
  const { now, timers } = clock
  const view = new MemoryView()
  const attestor = new KubernetesAttestor(
    settings,
    { trust: `kubernetes:${settings.cluster}`, audience },
    { door, now, timers, warn: (_detail, sentence) => warnings.push(sentence) },
    asks
      ? {
          api: clusterApi(api, { door, timers, now }),
          view: options.watches ? view : null,
          signatures: options.signatures?.(clock) ?? null,
        }
      : null,
  )
  t.after(async () => {
    attestor.close()
    await issuer.close()
  })
  return { clock, issuer, attestor, view, warnings }
}

/** A uid that no object of the fake cluster has. */
export const STRANGE_UID = '00000000-0000-4000-8000-000000000000'

/** Sets a member to anything at all. */
export function put(object: object, name: string, value: unknown): void {
  Object.assign(object, { [name]: value })
}
