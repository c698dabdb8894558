/** An issuer of JWTs that really signs, and publishes its keys over HTTP on a port of its own. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Signer, signer } from './keys.ts'

/** What goes wrong with every answer, until it is set back to null. */
export type Fault =
  | 'redirect'
  | 'slow'
  | 'endless'
  | 'huge'
  | 'error'
  | 'media_type'
  | 'truncated'
  | 'reset'

/** A token before it is signed; tests change what they like. */
export type Draft = {
  readonly header: Record<string, unknown>
  readonly claims: Record<string, unknown>
}

/** Answers a request that is not for keys or discovery; returns whether it did. */
export type Extra = (request: IncomingMessage, response: ServerResponse) => boolean

export class FakeIssuer {
  fault: Fault | null = null
  /** Paths of the requests that came, oldest first. */
  readonly requests: string[] = []
  /** The Authorization header of the last request. */
  authorization: string | undefined
  /** Bytes written by the `endless` fault. */
  bytesSent = 0
  cacheControl = 'max-age=600'
  /** Where the key set is. */
  jwksPath = '/openid/v1/jwks'
  /** Changes the discovery document before it is sent. */
  discovery: (document: Record<string, unknown>) => void = () => {}
  /** The keys that are published; the first one signs. */
  signers: Signer[]
  private readonly server: Server
  private waiting: (() => void)[] = []

  constructor(signers: readonly Signer[], extra: Extra = () => false) {
    this.signers = [...signers]
    this.server = createServer((request, response) => {
      this.requests.push(request.url ?? '')
      this.authorization = request.headers.authorization
      if (this.fault !== null) this.fail(this.fault, response)
      else if (!extra(request, response)) this.answer(request, response)
      for (const resume of this.waiting.splice(0)) resume()
    })
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    return this
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  get jwksUrl(): string {
    return `${this.origin}${this.jwksPath}`
  }

  get signer(): Signer {
    const [first] = this.signers
    if (first === undefined) throw new Error('this issuer has no key')
    return first
  }

  /** Replaces all keys by another one, as a compromised issuer must. */
  rotate(label = 'rotated'): void {
    this.signers = [signer(label, this.signer.alg)]
  }

  /** Resolves when the next request has come and its answer has begun. */
  reached(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  /** Signs a draft with the first key, or with another. */
  sign(draft: Draft, key: Signer = this.signer): string {
    return this.assemble(JSON.stringify(draft.header), JSON.stringify(draft.claims), key)
  }

  /** Signs any two texts, well-formed or not. */
  assemble(header: string, payload: string, key: Signer = this.signer): string {
    const input = `${base64url(header)}.${base64url(payload)}`
    return `${input}.${base64url(key.sign(input))}`
  }

  /** What is at `jwksPath`. */
  protected keyDocument(): object {
    return { keys: this.signers.map(({ jwk }) => jwk) }
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('cache-control', this.cacheControl)
    if (request.url === this.jwksPath) {
      // So does kube-apiserver.
      if (!request.headers.accept?.includes('application/jwk-set+json')) {
        response.writeHead(406).end()
        return
      }
      response.setHeader('content-type', 'application/jwk-set+json')
      response.end(JSON.stringify(this.keyDocument()))
    } else if (request.url?.endsWith('/.well-known/openid-configuration')) {
      const issuer = this.origin
      const document: Record<string, unknown> = { issuer, jwks_uri: this.jwksUrl }
      this.discovery(document)
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(document))
    } else {
      response.writeHead(404).end()
    }
  }

  private fail(fault: Fault, response: ServerResponse): void {
    const json = { 'content-type': 'application/json' }
    if (fault === 'redirect')
      response.writeHead(302, { location: `${this.origin}/elsewhere` }).end()
    else if (fault === 'error') response.writeHead(500, json).end('{}')
    else if (fault === 'media_type')
      response.writeHead(200, { 'content-type': 'text/html' }).end('{}')
    else if (fault === 'reset') response.destroy()
    else if (fault === 'slow') response.writeHead(200, json).write('{')
    else if (fault === 'huge') response.writeHead(200, json).end(`{"a":"${'x'.repeat(300_000)}"}`)
    else if (fault === 'truncated') {
      response.writeHead(200, { ...json, 'content-length': 1000 }).write('{"keys":', () => {
        response.destroy()
      })
    } else this.pour(response.writeHead(200, { ...json, 'content-length': 2 ** 30 }))
  }

  private pour(response: ServerResponse): void {
    const chunk = Buffer.alloc(64 * 1024, ' ')
    const more = () => {
      if (response.destroyed) return
      this.bytesSent += chunk.length
      response.write(chunk, more)
    }
    more()
  }
}

function base64url(data: string | Buffer): string {
  return Buffer.from(data).toString('base64url')
}
