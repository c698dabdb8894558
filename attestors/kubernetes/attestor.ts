/**
 * The attestor of one Kubernetes cluster. It takes bound service account tokens and yields the service
 * account with its pod and node. The order of checks: what costs nothing, the key, the signature, the
 * profile, and last, where configured, the API server.
 */

import type {
  Attestor,
  AttestorHealth,
  AttestorWorld,
  Fact,
  Identity,
  Prepared,
  TrustCommon,
} from '../../src/identity.ts'
import { KeySource } from '../../src/net/jwks.ts'
import { compact, digestOf, type UnverifiedJwt } from '../../src/net/jwt.ts'
import { keyReader } from '../../src/net/keyreader.ts'
import type { VerificationKey } from '../../src/net/keyset.ts'
import { type Algorithm, verifySignature } from '../../src/net/signature.ts'
import { systemTimers, type Timers } from '../../src/net/timers.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { seconds } from '../../src/units.ts'
import type { Window } from '../claims.ts'
import { LEGACY_ISSUER, readWorkload, type Screening, screen, type Workload } from './profile.ts'
import { type Review, tokenReview } from './review.ts'
import {
  asksApi,
  DEFAULT_ALGORITHMS,
  DEFAULT_JWKS,
  DEFAULT_MAX_LIFETIME,
  type KubernetesSettings,
} from './settings.ts'

/** The world, with timers that a test may bring. */
export type KubernetesWorld = AttestorWorld & { readonly timers?: Timers }

export class KubernetesAttestor implements Attestor {
  readonly kind = 'kubernetes'
  readonly trust: string
  readonly issuers: readonly string[]
  readonly audience: string
  private readonly settings: KubernetesSettings
  readonly algorithms: readonly Algorithm[]
  private readonly screening: Screening
  private readonly keys: KeySource
  private readonly review: Review | null

  /** @param settings as `checkKubernetes` found nothing wrong with */
  constructor(settings: KubernetesSettings, common: TrustCommon, world: KubernetesWorld) {
    const { issuer, api } = settings
    const { trust, audience } = common
    const timers = world.timers ?? systemTimers
    this.trust = trust
    // Legacy tokens come here too, only to be refused with a reason that helps.
    this.issuers = [issuer, LEGACY_ISSUER]
    this.audience = audience
    this.settings = settings
    this.algorithms = settings.algorithms ?? DEFAULT_ALGORITHMS
    const maxLifetimeSeconds = seconds(settings.maxLifetime ?? DEFAULT_MAX_LIFETIME)
    this.screening = { issuer, audience, maxLifetimeSeconds }
    this.keys = new KeySource({
      read: keyReader(settings.jwks ?? DEFAULT_JWKS, issuer, world.door),
      algorithms: this.algorithms,
      now: world.now,
      timers,
      warn: (detail, sentence) => world.warn({ trust, ...detail }, sentence),
    })
    this.review =
      api && asksApi(settings) ? tokenReview(api, audience, { door: world.door, timers }) : null
  }

  prepare(jwt: UnverifiedJwt, nowSeconds: number): Prepared | Promise<Prepared> {
    this.screen(jwt, nowSeconds)
    const key = this.keys.find(jwt.header.kid)
    if (key === undefined || this.review !== null) return this.prepareSlowly(jwt, nowSeconds)
    return { verify: (now) => this.verify(jwt, key, now).identity }
  }

  start(): Promise<void> {
    return this.keys.start()
  }

  health(): AttestorHealth {
    return { trust: this.trust, ...this.keys.health() }
  }

  close(): void {
    this.keys.close()
  }

  private async prepareSlowly(jwt: UnverifiedJwt, nowSeconds: number): Promise<Prepared> {
    const key = await this.keys.obtain(jwt.header.kid)
    if (this.review !== null) {
      const { workload } = this.verify(jwt, key, nowSeconds)
      await this.review(compact(jwt), workload)
    }
    // Time has passed, so everything is verified again at the caller's instant.
    return { verify: (now) => this.verify(jwt, key, now).identity }
  }

  private screen(jwt: UnverifiedJwt, nowSeconds: number): Window {
    const { alg } = jwt.header
    if (!this.algorithms.some((algorithm) => algorithm === alg)) {
      throw new Refusal('algorithm_refused', { expected: this.algorithms, found: printable(alg) })
    }
    return screen(jwt.claims, this.screening, nowSeconds)
  }

  private verify(
    jwt: UnverifiedJwt,
    { key, algorithms }: VerificationKey,
    nowSeconds: number,
  ): { readonly workload: Workload; readonly identity: Identity } {
    verifySignature(jwt, key, algorithms)
    const window = this.screen(jwt, nowSeconds)
    const workload = readWorkload(jwt.claims, this.settings.pod !== 'optional')
    return { workload, identity: this.identity(jwt, workload, window) }
  }

  private identity(jwt: UnverifiedJwt, workload: Workload, window: Window): Identity {
    const { cluster } = this.settings
    const { namespace, serviceAccount, pod, node, jti } = workload
    const path = `${cluster}/${namespace}`
    const lineage = { pod: pod?.uid, node: node?.uid, serviceaccount: serviceAccount.uid }
    return {
      kind: this.kind,
      trust: this.trust,
      uri: `k8s://${cluster}/ns/${namespace}/sa/${serviceAccount.name}`,
      principal: { type: 'ServiceAccount', id: `${path}/${serviceAccount.name}` },
      ancestry: [
        { type: 'Namespace', id: path },
        { type: 'Cluster', id: cluster },
      ],
      facts: facts(cluster, workload, window.issuedAt),
      ...window,
      replay: { policy: this.settings.replay ?? 'reusable', key: jti ?? digestOf(jwt) },
      lineage: Object.entries(lineage).flatMap(([kind, uid]) =>
        uid === undefined ? [] : [`${kind}:${cluster}/${uid}`],
      ),
    }
  }
}

/** Grade A: the control plane signed them. The cluster's name is ours, chosen by whose key verified. */
function facts(cluster: string, workload: Workload, observedAt: number): Record<string, Fact> {
  const { namespace, serviceAccount, pod, node } = workload
  const signed = {
    namespace,
    name: serviceAccount.name,
    uid: serviceAccount.uid,
    'pod.name': pod?.name,
    'pod.uid': pod?.uid,
    'node.name': node?.name,
    'node.uid': node?.uid,
  }
  const known: Record<string, Fact> = {
    cluster: { value: cluster, grade: 'A', source: 'configuration', observedAt },
  }
  for (const [name, value] of Object.entries(signed)) {
    if (value !== undefined) known[name] = { value, grade: 'A', source: 'token', observedAt }
  }
  return known
}
