/**
 * What an agent imports: `agent({ issuer, resource })` turns the identity that the infrastructure already gives the
 * process into access tokens. The agent holds no secret; credential paths are fixed when it starts and never
 * come from a model or a tool.
 */

import { readFile } from 'node:fs/promises'
import { onBehalf, type Subject } from './behalf.ts'
import { type CertificateSource, certified } from './certified.ts'
import { ask, discover, type Endpoints, type Send } from './endpoints.ts'
import { AgentError } from './failure.ts'
import type { AgentKey } from './key.ts'
import { proving } from './proof.ts'

export { type Subject, subjectFile } from './behalf.ts'
export {
  type CertificateSource,
  type ClientCertificate,
  certificateFiles,
  certificateIdentity,
} from './certified.ts'
export { type AgentKey, freshKey, keyFile } from './key.ts'
export { callerIdentity, webIdentity } from './sources/aws.ts'
export { azure, azureMachine } from './sources/azure.ts'
export { gcp } from './sources/gcp.ts'
export { github } from './sources/github.ts'
export { spiffe, type X509Svid, x509Svid } from './sources/spiffe.ts'
export { AgentError }

/** Where a projected service-account token is mounted by convention (see the README's pod snippet). */
export const DEFAULT_TOKEN_FILE = '/var/run/secrets/countersign/token'

/** RFC 7523 §2.1, RFC 6749 §4.4. */
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const CLIENT_CREDENTIALS = 'client_credentials'

/** A token is replaced when this share of its life has passed. */
const RENEW_AT = 0.8

/** A credential with its type (`client_assertion_type`), and what may stand beside it of the same workload. */
export type Assertion = {
  readonly type: string
  readonly assertion: string
  /** With its own type (`attestation_type`). */
  readonly attestation?: { readonly type: string; readonly value: string }
}

/** The certificate of the connection is the credential, and this the name in it: an X.509-SVID. */
export type Certified = { readonly clientId: string }

/** What an agent is told once, by its deployment. */
export type AgentOptions = {
  /** The broker's issuer identifier, exactly. */
  readonly issuer: string
  /** The API or MCP server that tokens are for (RFC 8707). */
  readonly resource: string
  readonly scopes?: readonly string[]
  /** Reads the platform's credential, anew for each token. Default: `kubernetes()`. */
  readonly source?: () => Promise<string | Assertion | Certified>
  /**
   * For whom the agent acts (RFC 8693): read anew for each token. The person or agent is `sub` of the tokens, this
   * workload acts. Absent: it asks for itself.
   */
  readonly subject?: () => Promise<Subject>
  /** The workload that may act by its tokens (`may_act`, RFC 8693 §4.4), as a canonical URI. */
  readonly mayAct?: string
  /**
   * The key that tokens are bound to (RFC 9449): without it a stolen token is of no use. `keyFile(path)` where a
   * restarted container has to find it again, else `freshKey()`. Absent: bearer tokens.
   */
  readonly dpop?: AgentKey
  /**
   * The certificate that tokens are bound to (RFC 8705): shown to the broker and to the resource in every connection,
   * in place of `fetch`.
   */
  readonly certificate?: CertificateSource
  readonly fetch?: typeof fetch
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/** The broker's answer (RFC 6749 §5.1). */
export type TokenResponse = {
  readonly access_token: string
  readonly token_type: string
  readonly expires_in: number
  readonly scope?: string
}

/** A source of access tokens for one resource. */
export type Agent = {
  /** A token with life left in it; asks the broker only when the last one is nearly over. */
  token(): Promise<string>
  /** Asks the broker now. */
  request(): Promise<TokenResponse>
  /**
   * `fetch` with the token, and a proof of its key, for URLs of the resource and no others: what a model or a tool
   * asks for must not choose who gets the token. After a 401 once more, with a new token.
   */
  readonly fetch: typeof fetch
}

/** Reads a Kubernetes projected token. The kubelet replaces the file, so it is read for every request. */
export function kubernetes(path: string = DEFAULT_TOKEN_FILE): () => Promise<string> {
  return async () => {
    try {
      return (await readFile(path, 'utf8')).trim()
    } catch (cause) {
      throw new AgentError(
        'credential_unreadable',
        `cannot read the projected token ${path}: mount a serviceAccountToken volume with the broker's audience`,
        null,
        { cause },
      )
    }
  }
}

/** @throws AgentError from every method when the broker refuses or cannot be reached */
export function agent(options: AgentOptions): Agent {
  const { certificate } = options
  const http = certificate === undefined ? (options.fetch ?? fetch) : certified(certificate)
  const now = options.now ?? Date.now
  const source = options.source ?? kubernetes()
  const { dpop } = options
  const toBroker = dpop && proving(dpop, http, now)
  const toResource = dpop && proving(dpop, http, now)
  let endpoints: Promise<Endpoints> | undefined
  let held: { readonly token: string; readonly renewAt: number } | undefined
  let asking: Promise<string> | undefined

  async function request(): Promise<TokenResponse> {
    // First: were it to fail while the broker is asked, nobody would hear of the broker's failure.
    const own = shown(await source())
    const credential = options.subject ? onBehalf(own, await options.subject()) : own
    endpoints ??= discover(options.issuer, http).catch((error) => {
      endpoints = undefined
      throw error
    })
    const form = new URLSearchParams({ ...credential, resource: options.resource })
    if (options.scopes?.length) form.set('scope', options.scopes.join(' '))
    if (options.mayAct !== undefined) form.set('may_act', options.mayAct)
    const { token: endpoint } = await endpoints
    const send: Send = toBroker ? (url, init) => toBroker(new Request(url, init), null) : http
    const response = (await ask(send, endpoint, { method: 'POST', body: form })) as TokenResponse
    // RFC 9449 §5: a broker that knows no DPoP gives a bearer token.
    if (dpop && response.token_type?.toLowerCase() !== 'dpop') {
      throw new AgentError('token_unbound', 'the broker did not bind the token to our key', null)
    }
    return response
  }

  async function renew(): Promise<string> {
    const asked = now()
    const response = await request()
    held = {
      token: response.access_token,
      renewAt: asked + response.expires_in * 1000 * RENEW_AT,
    }
    return held.token
  }

  function token(): Promise<string> {
    if (held !== undefined && now() < held.renewAt) return Promise.resolve(held.token)
    asking ??= renew().finally(() => {
      asking = undefined
    })
    return asking
  }

  function show(request: Request, token: string): Promise<Response> {
    request.headers.set('authorization', `${toResource ? 'DPoP' : 'Bearer'} ${token}`)
    return toResource ? toResource(request, token) : http(request)
  }

  return {
    request,
    token,
    async fetch(input, init) {
      const first = new Request(input, init)
      insist(first.url, options.resource)
      const again = first.clone()
      const response = await show(first, await token())
      if (response.status !== 401) return response
      await response.body?.cancel()
      held = undefined
      return show(again, await token())
    },
  }
}

/** A JWT alone goes as an assertion, everything else by its own type (RFC 7521 §4). */
function shown(credential: string | Assertion | Certified): Record<string, string> {
  if (typeof credential === 'string') return { grant_type: JWT_BEARER, assertion: credential }
  if ('clientId' in credential) {
    return { grant_type: CLIENT_CREDENTIALS, client_id: credential.clientId }
  }
  const { type, assertion, attestation } = credential
  return {
    grant_type: CLIENT_CREDENTIALS,
    client_assertion_type: type,
    client_assertion: assertion,
    ...(attestation && { attestation_type: attestation.type, attestation: attestation.value }),
  }
}

/** @throws AgentError when a URL is not below the resource (RFC 6750 §5.3: to its recipient, and over TLS) */
function insist(url: string, resource: string): void {
  const asked = new URL(url)
  const own = new URL(resource)
  const below = own.pathname.endsWith('/') ? own.pathname : `${own.pathname}/`
  const isBelow = asked.pathname === own.pathname || asked.pathname.startsWith(below)
  if (asked.origin !== own.origin || !isBelow) {
    throw new AgentError('foreign_url', `this token is for ${resource} alone`, null)
  }
}
