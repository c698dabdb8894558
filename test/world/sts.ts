/**
 * The STS of one region over TLS, under a certificate of its own. It recomputes every signature from a table of
 * credentials and refuses as the service does.
 */

import { hash } from 'node:crypto'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { createDoor, type Door } from '../../src/net/fetch.ts'
import { ACCOUNT } from './aws.ts'
import { selfSigned } from './certificate.ts'
import type { TestClock } from './clock.ts'
import { amzDateOf, type Signable, signatureOf } from './sigv4.ts'

export const REGION = 'eu-central-1'

/** Temporary credentials, and who STS says has them. */
export type Credentials = {
  readonly accessKeyId: string
  readonly secret: string
  readonly sessionToken: string
  readonly account: string
  readonly arn: string
  readonly userId: string
}

export const SESSION: Credentials = {
  accessKeyId: 'ASIAEXAMPLEEXAMPLE22',
  secret: 'a secret access key of nobody at all',
  sessionToken: `IQoJb3JpZ2lu${'x'.repeat(400)}/+==`,
  account: ACCOUNT,
  arn: `arn:aws:sts::${ACCOUNT}:assumed-role/settlement/i-0a1b2c3d4e5f60718`,
  userId: 'AROAEXAMPLEEXAMPLE22:i-0a1b2c3d4e5f60718',
}

/** What a service can do besides answering. */
export type StsFault = 'slow' | 'huge' | 'redirect' | 'page' | 'error' | 'throttled' | 'reset'

type Asked = Signable & { readonly at: number }

export class FakeSts {
  /** Every request, in order. */
  readonly asked: Asked[] = []
  /** By access key id. */
  readonly credentials = new Map([[SESSION.accessKeyId, SESSION]])
  fault: StsFault | null = null
  /** Has its way with the body of a good answer. */
  change: (body: string) => string = (body) => body
  /** What GetWebIdentityToken answers to an audience and an algorithm. */
  mint: (audience: string, algorithm: string) => string = () => 'no.token.here'
  /** Whose credentials AssumeRole gives out; null for nobody's. */
  assume: (role: string) => Credentials | null = () => null
  readonly host: string
  /** PEM: what vouches for it. */
  readonly ca: string
  private readonly clock: TestClock
  private readonly region: string
  private readonly server: Server

  constructor(clock: TestClock, region = REGION, host = `sts.${region}.amazonaws.com`) {
    this.clock = clock
    this.region = region
    this.host = host
    const certificate = selfSigned(host)
    this.ca = certificate.cert
    this.server = createServer(certificate, (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { method = '', url: path = '' } = request
        const body = Buffer.concat(chunks).toString()
        this.asked.push({ method, path, headers: plain(request.headers), body, at: clock.now() })
        this.serve(response)
      })
    })
  }

  async listen(t: TestContext): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    t.after(() => {
      this.server.closeAllConnections()
      return new Promise((resolve) => this.server.close(resolve))
    })
    return this
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** A door whose way to this host leads here; every other request goes where it wants to. */
  door(): Door {
    const real = createDoor({
      timers: this.clock.timers,
      lookup: async () => [{ address: '127.0.0.1', family: 4 }],
    })
    const outside = createDoor({ timers: this.clock.timers })
    const origin = `https://${this.host}`
    const here = `${origin}:${this.port}`
    return Object.assign(
      ((request) => {
        if (new URL(request.url).origin !== origin) return outside(request)
        const allow = request.allow.map((allowed) => (allowed === origin ? here : allowed))
        return real({ ...request, url: request.url.replace(origin, here), allow })
      }) as Door,
      { stream: outside.stream },
    )
  }

  private serve(response: ServerResponse): void {
    const { fault } = this
    response.setHeader('date', new Date(this.clock.now()).toUTCString())
    const asked = this.asked.at(-1)
    if (fault !== null || asked === undefined) {
      misbehave(response, fault ?? 'error')
      return
    }
    const json = asked.headers['accept'] === 'application/json'
    const outcome = this.judge(asked)
    if ('code' in outcome) {
      refuse(response, outcome, json)
      return
    }
    const body = this.change(json ? JSON.stringify(outcome.json) : outcome.xml)
    send(response, json ? 'application/json' : 'text/xml', body)
  }

  private judge(asked: Asked): Denial | Answer {
    const { headers, body } = asked
    const [, keyId = '', day, region, service, names = '', signature] =
      AUTHORIZATION.exec(headers['authorization'] ?? '') ?? []
    if (signature === undefined) return deny('MissingAuthenticationToken')
    const known = this.credentials.get(keyId)
    const amzDate = headers['x-amz-date'] ?? ''
    if (known === undefined || headers['x-amz-security-token'] !== known.sessionToken) {
      return deny('InvalidClientTokenId')
    }
    const signedHeaders = names.split(';')
    const unsigned = Object.keys(headers).filter(
      (name) => (name.startsWith('x-amz-') || name === 'host') && !signedHeaders.includes(name),
    )
    const isHere = region === this.region && service === 'sts' && day === amzDate.slice(0, 8)
    const hashed = headers['x-amz-content-sha256'] ?? hash('sha256', body)
    if (unsigned.length > 0 || !isHere || hashed !== hash('sha256', body)) {
      return deny('SignatureDoesNotMatch')
    }
    // The way here leads through another port than the one that was signed for.
    const seen = { ...asked, headers: { ...headers, host: this.host } }
    const scope = { secret: known.secret, amzDate, region: this.region, service: 'sts' }
    if (signatureOf(seen, signedHeaders, scope) !== signature) return deny('SignatureDoesNotMatch')
    if (Math.abs(this.clock.now() - readAmzDate(amzDate)) > 900_000) return deny('RequestExpired')
    return this.act(new URLSearchParams(body), known)
  }

  private act(form: URLSearchParams, known: Credentials): Denial | Answer {
    const metadata = { ResponseMetadata: { RequestId: '01234567-89ab-cdef-0123-456789abcdef' } }
    const action = form.get('Action') ?? ''
    if (form.get('Version') !== '2011-06-15') return deny('InvalidAction', 400)
    if (action === 'GetCallerIdentity') {
      const { account: Account, arn: Arn, userId: UserId } = known
      return answer(action, { Account, Arn, UserId }, metadata)
    }
    const Expiration = new Date(this.clock.now() + 300_000).toISOString()
    if (action === 'AssumeRole') {
      const given = this.assume(form.get('RoleArn') ?? '')
      if (given === null) return deny('AccessDenied')
      const { accessKeyId: id, secret, sessionToken: token } = given
      const Credentials = `<AccessKeyId>${id}</AccessKeyId><SecretAccessKey>${secret}</SecretAccessKey><SessionToken>${token}</SessionToken><Expiration>${Expiration}</Expiration>`
      return answer(action, { Credentials }, metadata)
    }
    if (action !== 'GetWebIdentityToken') return deny('InvalidAction', 400)
    const [audience, algorithm] = [form.get('Audience.member.1'), form.get('SigningAlgorithm')]
    if (audience === null || algorithm === null) return deny('ValidationError', 400)
    const WebIdentityToken = this.mint(audience, algorithm)
    return answer(action, { WebIdentityToken, Expiration }, metadata)
  }
}

type Denial = { readonly code: string; readonly status: number }
type Answer = { readonly json: object; readonly xml: string }

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)\/(\d{8})\/([a-z0-9-]+)\/([a-z]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/

function deny(code: string, status = 403): Denial {
  return { code, status }
}

function answer(
  action: string,
  result: Readonly<Record<string, string>>,
  metadata: { readonly ResponseMetadata: { readonly RequestId: string } },
): Answer {
  const elements = Object.entries(result).map(([name, value]) => `<${name}>${value}</${name}>`)
  const { RequestId: id } = metadata.ResponseMetadata
  return {
    json: { [`${action}Response`]: { [`${action}Result`]: result, ...metadata } },
    xml: `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>${elements.join('')}</${action}Result><ResponseMetadata><RequestId>${id}</RequestId></ResponseMetadata></${action}Response>`,
  }
}

function refuse(response: ServerResponse, { code, status }: Denial, json: boolean): void {
  response.writeHead(status, { 'content-type': json ? 'application/json' : 'text/xml' })
  const error = { Code: code, Message: 'no', Type: 'Sender' }
  const xml = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>`
  response.end(json ? JSON.stringify({ Error: error, RequestId: 'r' }) : xml)
}

function misbehave(response: ServerResponse, fault: StsFault): void {
  const answers: Readonly<Record<StsFault, () => void>> = {
    slow: () => {},
    reset: () => response.destroy(),
    throttled: () => refuse(response, deny('Throttling', 400), true),
    error: () => refuse(response, deny('InternalFailure', 500), true),
    redirect: () =>
      response.writeHead(307, { location: 'https://sts.us-east-1.amazonaws.com/' }).end(),
    page: () => send(response, 'text/html', '<html>Sign in to the guest network</html>'),
    huge: () => send(response, 'application/json', `"${'x'.repeat(65 * 1024)}"`),
  }
  answers[fault]()
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { 'content-type': type })
  response.end(body)
}

function plain(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}

function readAmzDate(text: string): number {
  return Date.parse(text.replace(/^(....)(..)(..T..)(..)(..)Z$/, '$1-$2-$3:$4:$5Z'))
}

/** A GetCallerIdentity for an audience and a challenge, signed with these credentials, as members of the assertion. */
export function signCall(
  by: Credentials,
  { audience, nonce, at, region = REGION }: CallOptions,
): Call {
  const amzDate = amzDateOf(at)
  const body = 'Action=GetCallerIdentity&Version=2011-06-15'
  const headers: Record<string, string> = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
    host: `sts.${region}.amazonaws.com`,
    'x-amz-content-sha256': hash('sha256', body),
    'x-amz-date': amzDate,
    'x-amz-security-token': by.sessionToken,
    'x-countersign-audience': audience,
    'x-countersign-nonce': nonce,
  }
  const scope = { secret: by.secret, amzDate, region, service: 'sts' }
  const request = { method: 'POST', path: '/', headers, body }
  return {
    region,
    access_key_id: by.accessKeyId,
    amz_date: amzDate,
    session_token: by.sessionToken,
    signature: signatureOf(request, Object.keys(headers), scope),
    nonce,
  }
}

/** The members of an assertion. */
export type Call = Record<
  'region' | 'access_key_id' | 'amz_date' | 'session_token' | 'signature' | 'nonce',
  string
>

/** `at` in milliseconds since the epoch. */
export type CallOptions = {
  readonly audience: string
  readonly nonce: string
  readonly at: number
  readonly region?: string
}

/** Members as they are sent. */
export function encoded(members: unknown): string {
  return Buffer.from(JSON.stringify(members)).toString('base64url')
}
