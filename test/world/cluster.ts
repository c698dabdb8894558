/**
 * A Kubernetes control plane as far as identity goes: it mints bound service account tokens of the exact
 * shape of Kubernetes 1.34, publishes its keys, and answers TokenReview after checking the token.
 */

import { verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestClock } from './clock.ts'
import { type Draft, FakeIssuer } from './issuer.ts'
import { type Signer, signer } from './keys.ts'

export type ClusterOptions = {
  readonly clock: TestClock
  readonly audience: string
  /** The exact `iss`; default: the origin of its own HTTP server. */
  readonly issuer?: string
  readonly signers?: readonly Signer[]
}

/** A draft whose `kubernetes.io` claim is at hand. */
export type TokenDraft = Draft & { readonly own: Record<string, unknown> }

/** Bearer token with which the cluster lets a reviewer in. */
const REVIEWER = 'reviewer-token'

export const POD_UID = 'a80db121-9afb-4f60-8334-ced381327329'

export class FakeCluster extends FakeIssuer {
  /** Bodies of the TokenReviews that were asked for. */
  readonly reviews: { token: string; audiences: readonly string[] }[] = []
  /** Uids of pods that are gone. */
  readonly deleted = new Set<string>()
  private readonly options: ClusterOptions
  private readonly folder = mkdtempSync(join(tmpdir(), 'countersign-cluster-'))

  constructor(options: ClusterOptions) {
    super(options.signers ?? [signer('cluster')], (request, response) =>
      this.serveReview(request, response),
    )
    this.options = options
  }

  override async close(): Promise<void> {
    await super.close()
    rmSync(this.folder, { recursive: true })
  }

  get issuer(): string {
    return this.options.issuer ?? this.origin
  }

  /** A pod's token, good in every respect, after `change` had its way with it. */
  mint(change: (token: TokenDraft) => void = () => {}, key: Signer = this.signer): string {
    const draft = this.draft(key)
    change(draft)
    return this.sign(draft, key)
  }

  /** What `mint` signs. */
  draft(key: Signer = this.signer): TokenDraft {
    const now = this.options.clock.seconds()
    const own = {
      namespace: 'agents',
      node: { name: 'node-1', uid: '83b135de-9349-4ede-87f6-0747326a151b' },
      pod: { name: 'planner-0', uid: POD_UID },
      serviceaccount: { name: 'planner', uid: '74cfa759-eea1-4ce4-aa19-5d0ffdbfeffc' },
    }
    const claims = {
      aud: [this.options.audience],
      exp: now + 600,
      iat: now,
      iss: this.issuer,
      jti: 'c85e5f8b-ac5c-4bf7-a80b-855517709007',
      'kubernetes.io': own,
      nbf: now,
      sub: 'system:serviceaccount:agents:planner',
    }
    return { header: { alg: key.alg, kid: key.kid }, claims, own }
  }

  /** Writes a kubeconfig for this cluster's API, with a user that may review, and returns its path. */
  kubeconfig(user: object = { token: REVIEWER }): string {
    const path = join(this.folder, 'kubeconfig')
    // The client library wants skip-tls-verify for http; our own door takes http on loopback only.
    const cluster = { server: this.origin, 'insecure-skip-tls-verify': true }
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'fake',
      contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'fake' } }],
      clusters: [{ name: 'fake', cluster }],
      users: [{ name: 'fake', user }],
    }
    writeFileSync(path, JSON.stringify(config))
    return path
  }

  private serveReview(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.url !== '/apis/authentication.k8s.io/v1/tokenreviews') return false
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      const isReviewer = request.headers.authorization === `Bearer ${REVIEWER}`
      response.writeHead(isReviewer ? 201 : 403, { 'content-type': 'application/json' })
      const { spec } = JSON.parse(body)
      if (isReviewer) this.reviews.push(spec)
      const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview' }
      response.end(JSON.stringify({ ...review, spec, status: this.judge(spec) }))
    })
    return true
  }

  private judge(spec: { token: string; audiences: readonly string[] }): unknown {
    const [header = '', payload = '', signature = ''] = spec.token.split('.')
    const valid = this.signers.some(({ publicKey }) => {
      const key = { key: publicKey, dsaEncoding: 'ieee-p1363' as const }
      const input = Buffer.from(`${header}.${payload}`)
      return verify('sha256', input, key, Buffer.from(signature, 'base64url'))
    })
    if (!valid) return { error: 'invalid bearer token', user: {} }
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const own = claims['kubernetes.io']
    const audiences = spec.audiences.filter((audience) => claims.aud.includes(audience))
    if (audiences.length === 0) {
      const error = `[invalid bearer token, token audiences ${JSON.stringify(claims.aud)} is invalid]`
      return { error, user: {} }
    }
    if (this.deleted.has(own.pod?.uid)) {
      return {
        error: '[invalid bearer token, service account token has been invalidated]',
        user: {},
      }
    }
    return { audiences, authenticated: true, user: reviewedUser(claims, own) }
  }
}

/** The user of a positive review, as kube-apiserver 1.34 puts it. */
function reviewedUser(
  claims: { jti: string; sub: string },
  own: Record<string, { name: string; uid: string }>,
): unknown {
  const extra: Record<string, string[]> = {
    'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`],
  }
  for (const kind of ['pod', 'node']) {
    const bound = own[kind]
    if (bound === undefined) continue
    extra[`authentication.kubernetes.io/${kind}-name`] = [bound.name]
    extra[`authentication.kubernetes.io/${kind}-uid`] = [bound.uid]
  }
  const groups = ['system:serviceaccounts', 'system:authenticated']
  return { extra, groups, uid: own['serviceaccount']?.uid, username: claims.sub }
}
