/**
 * Requests over TLS connections that show a certificate (RFC 8705): to the broker, which binds tokens to it, and to the
 * resource, which takes them from its holder alone. `fetch` cannot show one without a further library.
 */

import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { Agent, request as open } from 'node:https'
import { Readable } from 'node:stream'
import { AgentError } from './failure.ts'

/** A certificate with its key, PEM. */
export type ClientCertificate = {
  /** The chain, leaf first. */
  readonly cert: string
  readonly key: string
  /** Authorities of the servers, PEM, where the system does not know them. */
  readonly ca?: string
}

/** One certificate, or where the newest is: short-lived ones are renewed while the agent runs. */
export type CertificateSource = ClientCertificate | (() => Promise<ClientCertificate>)

/** Reads a certificate from files, anew for each request: whoever renews it replaces them. */
export function certificateFiles(cert: string, key: string): () => Promise<ClientCertificate> {
  return async () => {
    try {
      const [chain, secret] = await Promise.all([readFile(cert, 'utf8'), readFile(key, 'utf8')])
      return { cert: chain, key: secret }
    } catch (cause) {
      const message = `cannot read the certificate ${cert} and its key ${key}`
      throw new AgentError('certificate_unreadable', message, null, { cause })
    }
  }
}

/**
 * A source for `agent({ source })` of an X.509-SVID: the certificate is the credential itself, and its SPIFFE ID goes
 * as `client_id`.
 */
export function certificateIdentity(
  source: CertificateSource,
): () => Promise<{ readonly clientId: string }> {
  return async () => {
    const { cert } = await newest(source)
    const names = new X509Certificate(cert).subjectAltName?.split(', ') ?? []
    const id = names.find((name) => name.startsWith('URI:spiffe://'))?.slice('URI:'.length)
    if (id !== undefined) return { clientId: id }
    const message = 'the certificate has no SPIFFE ID: it is no X.509-SVID'
    throw new AgentError('certificate_unreadable', message, null)
  }
}

/**
 * `fetch` that shows a certificate. It follows no redirects, which would lead its holder elsewhere, and speaks TLS only.
 */
export function certified(source: CertificateSource): typeof fetch {
  let kept: { readonly certificate: ClientCertificate; readonly agent: Agent } | undefined

  async function agentOf(): Promise<Agent> {
    const certificate = await newest(source)
    const { cert, key, ca } = certificate
    if (kept?.certificate.cert === cert && kept.certificate.key === key) return kept.agent
    // Connections with the one before end when they are idle.
    const agent = new Agent({ keepAlive: true, cert, key, ...(ca !== undefined && { ca }) })
    kept = { certificate, agent }
    return agent
  }

  return async (input, init) => {
    const asked = new Request(input, init)
    if (!asked.url.startsWith('https:')) throw new TypeError(`${asked.url} is not https`)
    const body = Buffer.from(await asked.arrayBuffer())
    const incoming = await sent(asked, await agentOf(), body)
    const { statusCode: status = 0 } = incoming
    if (status >= 300 && status < 400) {
      incoming.destroy()
      throw new TypeError(`${asked.url} redirects, which is not followed`)
    }
    return new Response(isBodiless(status) ? null : stream(incoming), {
      status,
      headers: headersOf(incoming),
    })
  }
}

async function newest(source: CertificateSource): Promise<ClientCertificate> {
  return typeof source === 'function' ? source() : source
}

function sent(
  { url, method, headers, signal }: Request,
  agent: Agent,
  body: Buffer,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { method, headers: Object.fromEntries(headers), agent, signal }
    open(url, options, resolve).on('error', reject).end(body)
  })
}

function stream(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  return Readable.toWeb(incoming) as ReadableStream<Uint8Array>
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
  }
  return headers
}

/** Statuses whose answers have no body (RFC 9110 §15.3.5, §15.3.6). */
function isBodiless(status: number): boolean {
  return status === 204 || status === 205
}
