/** How a probe reaches the broker: as its clients do, and where wanted by another address than the issuer's name. */

import { type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { text } from 'node:stream/consumers'

/** One request below the issuer's origin. */
export type Call = {
  readonly method: 'GET' | 'POST'
  /** Path and query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as a form. */
  readonly form?: Readonly<Record<string, string>>
}

/** A complete answer. `json` is null for a body that is no JSON object. */
export type Reply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
  readonly json: Readonly<Record<string, unknown>> | null
}

/** Sends a call. Rejects when there is no answer. */
export type Caller = (call: Call) => Promise<Reply>

const TIMEOUT_MS = 10_000

/**
 * @param issuer whose origin is called; its host is the name in the certificate, whatever is connected to
 * @param connect `HOST:PORT` to connect to in its place; null for the issuer's own
 */
export function caller(issuer: string, connect: string | null): Caller {
  const origin = new URL(issuer)
  const elsewhere = connect === null ? {} : placeOf(connect)
  return async ({ method, path, headers = {}, form }) => {
    const body = form && new URLSearchParams(form).toString()
    const options: RequestOptions & { servername?: string } = {
      method,
      headers: {
        ...headers,
        host: origin.host,
        ...(body !== undefined && {
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': String(Buffer.byteLength(body)),
        }),
      },
      agent: false,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...elsewhere,
    }
    const url = new URL(path, origin)
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    const send = url.protocol === 'http:' ? requestHttp : requestHttps
    send(url, { ...options, servername: origin.hostname }, (answer) => {
      text(answer).then((said) => {
        const { statusCode = 0, headers: named } = answer
        resolve({ status: statusCode, headers: named, body: said, json: readObject(said) })
      }, reject)
    })
      .once('error', reject)
      .end(body)
    return promise
  }
}

/** The members of a JSON object; null for anything else. */
export function readObject(body: string): Reply['json'] {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Reply['json']) : null
  } catch {
    return null
  }
}

/** `hostname`, because the URL's own would win over `host`. */
function placeOf(connect: string): { readonly hostname: string; readonly port: string } {
  const [, hostname = '', port = ''] = /^\[?(.+?)\]?:(\d+)$/.exec(connect) ?? []
  return { hostname, port }
}
