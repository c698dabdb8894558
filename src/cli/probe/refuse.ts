/**
 * The negative probe: a workload without any permit sends what must be refused. Each answer has to be the documented
 * one: a broker that is down, or that refuses for another reason, has not shown that it refuses this.
 */

import { createHmac, randomBytes } from 'node:crypto'
import { pathOf } from '../../uri.ts'
import type { Call, Reply } from './caller.ts'
import { type Check, insist, look, type ProbeOptions, said } from './report.ts'

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const JWT_BEARER_ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** What the negative probe is told besides. */
export type RefuseOptions = ProbeOptions & {
  /** A token of the same workload for another audience; null leaves that check out. */
  readonly foreign: string | null
}

type Row = {
  readonly name: string
  readonly call: Call
  readonly status: number
  /** Null where the answer is no OAuth error. */
  readonly error: string | null
}

/** Sends everything, in order. */
export async function probeRefusals(options: RefuseOptions): Promise<readonly Check[]> {
  const checks: Check[] = []
  for (const row of rows(options)) {
    const wanted = row.error === null ? String(row.status) : `${row.status} ${row.error}`
    checks.push(
      await look(row.name, async () => {
        const reply = await options.call(row.call)
        insist(!grants(reply), `${reply.status}, AND A TOKEN WAS ISSUED; must be ${wanted}`)
        const isWanted =
          reply.status === row.status && (row.error === null || reply.json?.['error'] === row.error)
        insist(isWanted, `${said(reply)}; must be ${wanted}`)
        return said(reply)
      }),
    )
  }
  return checks
}

function grants({ json }: Reply): boolean {
  return json !== null && 'access_token' in json
}

function rows(options: RefuseOptions): readonly Row[] {
  const { issuer } = options
  const base = pathOf(issuer)
  const get = (path: string): Call => ({ method: 'GET', path })
  return [
    ...credentialRows(options),
    ...requestRows(options),
    { name: 'GET on the token endpoint', call: get(`${base}/token`), status: 405, error: null },
    { name: 'metrics on the public port', call: get('/metrics'), status: 404, error: null },
    {
      name: 'decisions on the public port',
      call: get('/decisions/00000000-0000-0000-0000-000000000000'),
      status: 404,
      error: null,
    },
  ]
}

/** The same request with other credentials. The first row shows that the credential itself is a good one. */
function credentialRows({
  issuer,
  resource,
  scope,
  token,
  foreign,
}: RefuseOptions): readonly Row[] {
  const path = `${pathOf(issuer)}/token`
  const asked = { resource, scope }
  const assertion = (name: string, value: string, error = 'invalid_grant'): Row => ({
    name,
    call: {
      method: 'POST',
      path,
      form: { ...asked, grant_type: JWT_BEARER, assertion: value },
    },
    status: 400,
    error,
  })
  const client = (name: string, value: string): Row => ({
    name: `${name}, as client_assertion`,
    call: {
      method: 'POST',
      path,
      form: {
        ...asked,
        grant_type: 'client_credentials',
        client_assertion_type: JWT_BEARER_ASSERTION,
        client_assertion: value,
      },
    },
    status: 401,
    error: 'invalid_client',
  })
  const bad: readonly (readonly [string, string])[] = [
    ...(foreign === null ? [] : [['a token for another audience', foreign] as const]),
    ['a tampered signature', tampered(token)],
    ['another workload’s name under the old signature', renamed(token)],
    ['no signature, alg none', unsigned(token)],
    ['a signature of our own, alg HS256', selfSigned(token)],
    ['something that is no token', 'not-a-token'],
  ]
  return [
    assertion('a good token of a workload without a permit', token, 'invalid_scope'),
    ...bad.map(([name, value]) => assertion(name, value)),
    ...bad.map(([name, value]) => client(name, value)),
  ]
}

/** The good credential in requests that ask for what there is not, or in a way that must not be. */
function requestRows({ issuer, resource, scope, token }: RefuseOptions): readonly Row[] {
  const path = `${pathOf(issuer)}/token`
  const good = { grant_type: JWT_BEARER, assertion: token, resource, scope }
  const post = (name: string, form: Readonly<Record<string, string>>, error: string): Row => ({
    name,
    call: { method: 'POST', path, form },
    status: 400,
    error,
  })
  const { resource: _resource, ...everywhere } = good
  const { assertion: _assertion, ...nobody } = good
  const query = new URLSearchParams(good)
  return [
    post(
      'a resource that is not served',
      { ...good, resource: 'https://unknown.invalid' },
      'invalid_target',
    ),
    post('no resource', everywhere, 'invalid_target'),
    post(
      'a scope that is not offered',
      { ...good, scope: `${scope}-not-offered` },
      'invalid_scope',
    ),
    post('no credential', nobody, 'invalid_request'),
    post('a client secret', { ...good, client_secret: 'x' }, 'invalid_request'),
    post('an unknown grant type', { ...good, grant_type: 'password' }, 'unsupported_grant_type'),
    {
      name: 'the credential in the query',
      call: { method: 'POST', path: `${path}?${query}`, form: good },
      status: 400,
      error: 'invalid_request',
    },
  ]
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

type Parts = readonly [header: string, payload: string, signature: string]

function partsOf(token: string): Parts {
  const [header = '', payload = '', signature = ''] = token.split('.')
  return [header, payload, signature]
}

function decoded(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString())
}

/** The signature with its first byte changed. */
function tampered(token: string): string {
  const [header, payload, signature] = partsOf(token)
  const bytes = Buffer.from(signature, 'base64url')
  bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0)
  return [header, payload, bytes.toString('base64url')].join('.')
}

function renamed(token: string): string {
  const [header, payload, signature] = partsOf(token)
  const claims = decoded(payload)
  return [header, encode({ ...claims, sub: `${claims['sub']}-2` }), signature].join('.')
}

function unsigned(token: string): string {
  const [header, payload] = partsOf(token)
  return [encode({ ...decoded(header), alg: 'none' }), payload, ''].join('.')
}

function selfSigned(token: string): string {
  const [header, payload] = partsOf(token)
  const input = `${encode({ ...decoded(header), alg: 'HS256' })}.${payload}`
  const signature = createHmac('sha256', randomBytes(32)).update(input).digest('base64url')
  return `${input}.${signature}`
}
