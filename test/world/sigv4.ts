/** AWS Signature Version 4, for requests with an Authorization header: what a client adds and what STS recomputes. */

import { createHmac, hash } from 'node:crypto'

/** What is signed of a request. Header names in lower case. */
export type Signable = {
  readonly method: string
  /** With the query, as sent. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Where and with what a signature is made. */
export type Scope = {
  readonly secret: string
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly amzDate: string
  readonly region: string
  readonly service: string
}

/** The signature in hex over exactly these headers. */
export function signatureOf(
  { method, path, headers, body }: Signable,
  signedHeaders: readonly string[],
  { secret, amzDate, region, service }: Scope,
): string {
  const { pathname, searchParams } = new URL(path, 'https://host')
  searchParams.sort()
  const canonical = [
    method,
    pathname,
    searchParams.toString(),
    ...signedHeaders.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    signedHeaders.join(';'),
    hash('sha256', body),
  ].join('\n')
  const day = amzDate.slice(0, 8)
  const scope = `${day}/${region}/${service}/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', amzDate, scope, hash('sha256', canonical)].join('\n')
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(
    (secretPart, part) => createHmac('sha256', secretPart).update(part).digest(),
    `AWS4${secret}`,
  )
  return createHmac('sha256', key).update(toSign).digest('hex')
}

/** An instant as SigV4 writes it. */
export function amzDateOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/[-:]|\.\d+/g, '')
}
