/** A registry of images (OCI distribution 1.1) as far as referrers go: it wants a token where it is told to, and sends blobs from elsewhere. */

import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json'
const PAYLOAD = 'application/vnd.dev.cosign.simplesigning.v1+json'
const INDEX = 'application/vnd.oci.image.index.v1+json'
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

export const REPOSITORY = 'acme/planner'
export const IMAGE = `sha256:${'ab'.repeat(32)}`

/** A status, and what is not usual about the rest. */
type Answer = { code: number; body?: string; location?: string; link?: string }

type Descriptor = { mediaType: string; digest: string; size: number; artifactType?: string }

export class FakeRegistry {
  /** Answers everything with 500, or sends everybody elsewhere. */
  fault: 'error' | 'redirect' | null = null
  /** Whether it knows the request for referrers; else it has them under a tag. */
  knowsReferrers = true
  /** Whether the index has more than it shows. */
  hasMore = false
  /** Where blobs are; null for here. */
  blobsAt: string | null = null
  /** Changes a blob or manifest before it is sent. */
  alter: (body: string) => string = (body) => body
  /** `user:password` that the token endpoint wants; null for strangers too. Without `wantsToken` nobody is asked. */
  credentials: string | null = null
  wantsToken = false
  /** What came, oldest first: the path, and by what the caller was known. */
  readonly requests: { readonly path: string; readonly authorization: string | undefined }[] = []
  private readonly contents = new Map<string, string>()
  private readonly referrers: Descriptor[] = []
  private readonly server: Server

  constructor() {
    this.server = createServer((request, response) => this.answer(request, response))
  }

  async listen(t: Pick<TestContext, 'after'>): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    t.after(() => new Promise((resolve) => this.server.close(resolve)))
    return this
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** Attaches a bundle, and its payload if it has none of its own, to `IMAGE`. */
  attach(bundle: string, payload?: string, artifactType = BUNDLE): void {
    const layers = [this.put(bundle, BUNDLE)]
    if (payload !== undefined) layers.push(this.put(payload, PAYLOAD))
    const manifest = { schemaVersion: 2, mediaType: MANIFEST, artifactType, layers }
    this.referrers.push({ ...this.put(JSON.stringify(manifest), MANIFEST), artifactType })
  }

  private put(body: string, mediaType: string): Descriptor {
    const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`
    this.contents.set(digest, body)
    return { mediaType, digest, size: Buffer.byteLength(body) }
  }

  private answer({ url = '', headers }: IncomingMessage, response: ServerResponse): void {
    const { authorization } = headers
    const { pathname, searchParams } = new URL(url, this.url)
    this.requests.push({ path: pathname, authorization })
    const {
      code,
      body = '{}',
      ...more
    } = pathname === '/token'
      ? this.token(searchParams.get('scope'), authorization)
      : this.content(pathname, authorization)
    response.writeHead(code, { 'content-type': 'application/json', ...more }).end(body)
  }

  private token(scope: string | null, authorization: string | undefined): Answer {
    const wanted = `Basic ${Buffer.from(this.credentials ?? '').toString('base64')}`
    if (this.credentials !== null && authorization !== wanted) return { code: 401 }
    return { code: 200, body: JSON.stringify({ token: `for-${scope}` }) }
  }

  private content(pathname: string, authorization: string | undefined): Answer {
    if (this.fault === 'error') return { code: 500 }
    if (this.fault === 'redirect') return { code: 307, location: 'http://127.0.0.2/' }
    const known = `Bearer for-repository:${REPOSITORY}:pull`
    if (this.wantsToken && authorization !== known) return { code: 401 }
    const path = pathname.replace(`/v2/${REPOSITORY}/`, '')
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: this.referrers })
    const more = this.hasMore ? { link: '</v2/next>; rel="next"' } : {}
    if (path === `referrers/${IMAGE}` && this.knowsReferrers) {
      return { code: 200, body: index, ...more }
    }
    if (path === `manifests/${IMAGE.replace(':', '-')}` && this.referrers.length > 0) {
      return { code: 200, body: index }
    }
    const digest = /^(?:manifests|blobs)\/(sha256:[0-9a-f]{64})$/.exec(path)?.[1] ?? ''
    const found = this.contents.get(digest)
    if (found === undefined) return { code: 404 }
    if (path.startsWith('blobs/') && this.blobsAt !== null) {
      return { code: 307, location: `${this.blobsAt}${pathname}` }
    }
    return { code: 200, body: this.alter(found) }
  }
}
