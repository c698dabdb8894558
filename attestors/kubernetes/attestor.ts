/**
 * The attestor of one Kubernetes cluster. It takes bound service account tokens and yields the service
 * account with its pod and node. The order of checks: what costs nothing, the key, the signature, the
 * profile, and last, where configured, what the API server knows.
 */

import type {
  Attestor,
  AttestorHealth,
  AttestorWorld,
  Fact,
  Facts,
  Identity,
  Prepared,
  TrustCommon,
} from '../../src/identity.ts'
import { KeySource } from '../../src/net/jwks.ts'
import { compact, digestOf, type UnverifiedJwt } from '../../src/net/jwt.ts'
import type { VerificationKey } from '../../src/net/keyset.ts'
import { type Algorithm, verifySignature } from '../../src/net/signature.ts'
import { systemTimers, type Timers } from '../../src/net/timers.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { seconds } from '../../src/units.ts'
import type { Window } from '../claims.ts'
import { signatureFacts } from '../images/facts.ts'
import type { ImageSignatures } from '../images/signatures.ts'
import { clusterHealth } from './clusterhealth.ts'
import { type ClusterAccess, clusterKeyReader } from './entry.ts'
import { requireAlive, requireFresh, VITAL } from './liveness.ts'
import { postureFacts } from './posture.ts'
import { LEGACY_ISSUER, readWorkload, type Screening, screen, type Workload } from './profile.ts'
import { type Review, tokenReview } from './review.ts'
import {
  DEFAULT_ALGORITHMS,
  DEFAULT_MAX_LIFETIME,
  livenessOf,
  type SettledSettings,
} from './settings.ts'
import { isComplete, mayBeNew, NOTHING_SEEN, obtain, type Sighting, sight } from './sighting.ts'
import type { ClusterView } from './view.ts'

/** The world, with timers that a test may bring. */
export type KubernetesWorld = AttestorWorld & { readonly timers?: Timers }

/** What a token says, once its signature holds. */
type Read = { readonly workload: Workload; readonly window: Window }

export class KubernetesAttestor implements Attestor {
  readonly kind = 'kubernetes'
  readonly trust: string
  readonly issuers: readonly string[]
  readonly audience: string
  readonly algorithms: readonly Algorithm[]
  private readonly settings: SettledSettings
  private readonly screening: Screening
  private readonly keys: KeySource
  private readonly review: Review | null
  private readonly view: ClusterView | null
  private readonly signatures: ImageSignatures | null
  private readonly mustLive: boolean

  /**
   * @param settings as `checkKubernetes` found nothing wrong with, and with an issuer
   * @param access how the cluster is asked; null where the entry has no `api`
   */
  constructor(
    settings: SettledSettings,
    common: TrustCommon,
    world: KubernetesWorld,
    access: ClusterAccess | null,
  ) {
    const { issuer } = settings
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
      read: clusterKeyReader(settings, access, world.door),
      algorithms: this.algorithms,
      now: world.now,
      timers,
      warn: (detail, sentence) => world.warn({ trust, ...detail }, sentence),
    })
    const liveness = livenessOf(settings)
    this.review =
      access && liveness === 'tokenreview' ? tokenReview(access.api, audience, timers) : null
    this.view = access?.view ?? null
    this.signatures = access?.signatures ?? null
    this.mustLive = liveness === 'watch'
  }

  prepare(jwt: UnverifiedJwt, nowSeconds: number): Prepared | Promise<Prepared> {
    const { issuedAt } = this.screen(jwt, nowSeconds)
    const key = this.keys.find(jwt.header.kid)
    if (key === undefined || this.review !== null || this.mustLook(jwt, issuedAt, nowSeconds)) {
      return this.prepareSlowly(jwt, nowSeconds)
    }
    return { verify: (now) => this.verify(jwt, key, NOTHING_SEEN, now) }
  }

  async start(): Promise<void> {
    await Promise.all([this.keys.start(), this.view?.start()])
  }

  health(): AttestorHealth {
    const { view, trust } = this
    const { ready, ...keys } = this.keys.health()
    const knowsTheLiving = !this.mustLive || VITAL.every((each) => view?.fresh(each) === true)
    const cluster = view === null ? {} : { cluster: clusterHealth(view) }
    const images = this.signatures === null ? {} : { images: this.signatures.health() }
    return { trust, ...keys, ready: ready && knowsTheLiving, ...cluster, ...images }
  }

  close(): void {
    this.keys.close()
    this.view?.close()
    this.signatures?.close()
  }

  /**
   * Whether the view lacks what a token names. The names are unverified: they decide only whether to wait, and
   * nothing is asked of the API server before the signature holds.
   */
  private mustLook(jwt: UnverifiedJwt, issuedAt: number, nowSeconds: number): boolean {
    if (this.view === null || !mayBeNew(this.view, issuedAt, nowSeconds)) return false
    try {
      const workload = readWorkload(jwt.claims, this.settings.pod !== 'optional')
      return !isComplete(workload, sight(this.view, workload))
    } catch (error) {
      // `verify` says so again, after the signature.
      if (error instanceof Refusal) return false
      throw error
    }
  }

  private async prepareSlowly(jwt: UnverifiedJwt, nowSeconds: number): Promise<Prepared> {
    const key = await this.keys.obtain(jwt.header.kid)
    let obtained = NOTHING_SEEN
    if (this.review !== null || this.view !== null) {
      const { workload, window } = this.read(jwt, key, nowSeconds)
      await this.review?.(compact(jwt), workload)
      obtained = await this.look(workload, window.issuedAt, nowSeconds)
    }
    // Time has passed, so everything is verified again at the caller's instant.
    return { verify: (now) => this.verify(jwt, key, obtained, now) }
  }

  /** @throws Refusal `cluster_unreachable` where nothing can be decided without an answer */
  private async look(workload: Workload, issuedAt: number, nowSeconds: number): Promise<Sighting> {
    const { view } = this
    if (view === null || !VITAL.every((each) => view.fresh(each))) return NOTHING_SEEN
    const seen = sight(view, workload)
    if (isComplete(workload, seen) || !mayBeNew(view, issuedAt, nowSeconds)) return NOTHING_SEEN
    try {
      return await obtain(view, workload, seen)
    } catch (error) {
      // For posture alone: what could not be found out is unknown.
      if (error instanceof Refusal && !this.mustLive) return NOTHING_SEEN
      throw error
    }
  }

  private screen(jwt: UnverifiedJwt, nowSeconds: number): Window {
    const { alg } = jwt.header
    if (!this.algorithms.some((algorithm) => algorithm === alg)) {
      throw new Refusal('algorithm_refused', { expected: this.algorithms, found: printable(alg) })
    }
    return screen(jwt.claims, this.screening, nowSeconds)
  }

  private read(jwt: UnverifiedJwt, key: VerificationKey, nowSeconds: number): Read {
    verifySignature(jwt, key.key, key.algorithms)
    const window = this.screen(jwt, nowSeconds)
    return { window, workload: readWorkload(jwt.claims, this.settings.pod !== 'optional') }
  }

  private verify(
    jwt: UnverifiedJwt,
    key: VerificationKey,
    obtained: Sighting,
    nowSeconds: number,
  ): Identity {
    const { workload, window } = this.read(jwt, key, nowSeconds)
    const { view } = this
    if (view === null) return this.identity(jwt, workload, window, {})
    if (this.mustLive) requireFresh(view)
    const found = sight(view, workload, obtained)
    if (this.mustLive) {
      requireAlive(workload, found, this.settings.terminating ?? 'refuse', nowSeconds)
    }
    const posture = postureFacts(view, workload, found, nowSeconds)
    const signed = this.signed(view, workload, found, nowSeconds)
    return this.identity(jwt, workload, window, { ...posture, ...signed })
  }

  /** Of the very pod that the token names, and only while pods are known; else nothing is. */
  private signed(view: ClusterView, { pod }: Workload, found: Sighting, nowSeconds: number): Facts {
    if (this.signatures === null) return {}
    const isKnown = pod !== null && found.pod?.uid === pod.uid && view.fresh('pods')
    const images = isKnown ? (found.pod?.images ?? null) : null
    return signatureFacts(this.signatures, images, nowSeconds)
  }

  private identity(
    jwt: UnverifiedJwt,
    workload: Workload,
    window: Window,
    posture: Facts,
  ): Identity {
    const { cluster } = this.settings
    const { namespace, serviceAccount, pod, node, jti } = workload
    const path = `${cluster}/${namespace}`
    const home = node?.uid ?? posture['node.uid']?.value
    const lineage = pod === null ? [] : [`pod:${cluster}/${pod.uid}`]
    if (home !== undefined) lineage.push(`node:${cluster}/${home}`)
    lineage.push(`serviceaccount:${cluster}/${serviceAccount.uid}`)
    return {
      kind: this.kind,
      trust: this.trust,
      uri: `k8s://${cluster}/ns/${namespace}/sa/${serviceAccount.name}`,
      principal: { type: 'ServiceAccount', id: `${path}/${serviceAccount.name}` },
      ancestry: [
        { type: 'Namespace', id: path },
        { type: 'Cluster', id: cluster },
      ],
      facts: withSigned(posture, cluster, workload, window.issuedAt),
      issuedAt: window.issuedAt,
      expiresAt: window.expiresAt,
      replay: { policy: this.settings.replay ?? 'reusable', key: jti ?? digestOf(jwt) },
      lineage,
    }
  }
}

/** Adds what the control plane signed, of grade A. The cluster's name is ours, chosen by whose key verified. */
function withSigned(
  posture: Facts,
  cluster: string,
  workload: Workload,
  observedAt: number,
): Facts {
  const { namespace, serviceAccount, pod, node } = workload
  const facts: Record<string, Fact> = { ...posture }
  const sign = (name: string, value: string) => {
    facts[name] = { value, grade: 'A', source: 'token', observedAt }
  }
  facts['cluster'] = { value: cluster, grade: 'A', source: 'configuration', observedAt }
  sign('namespace', namespace)
  sign('name', serviceAccount.name)
  sign('uid', serviceAccount.uid)
  if (pod !== null) {
    sign('pod.name', pod.name)
    sign('pod.uid', pod.uid)
  }
  if (node !== null) {
    sign('node.name', node.name)
    sign('node.uid', node.uid)
  }
  return facts
}
