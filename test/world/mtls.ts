/** A broker on a TLS listener that asks for certificates, and callers that show some. */

import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import { readCertificate } from '../../src/certificate.ts'
import { publicServer } from '../../src/http/server.ts'
import { createLogger } from '../../src/log.ts'
import { type Held, issue, type Unlike } from './authority.ts'
import { POLICIES, RESOURCE, startBroker } from './broker.ts'
import { type Answer, call, startRun, writePair } from './run.ts'
import { scratch } from './scratch.ts'

export const NAME = 'countersign.test'

/** A key pair and chain with which a caller opens its connection, or the nobody that has none. */
export type Caller = { readonly cert: string; readonly key: string } | Record<string, never>

export const NOBODY: Caller = {}

/** What a caller shows: the chain, leaf first. */
export function callerOf(leaf: Held, ...others: readonly Held[]): Caller {
  const key = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { cert: [leaf, ...others].map(({ pem }) => pem).join(''), key }
}

/** A certificate that nobody but its holder signed. */
export function ownCertificate(name: string, unlike: Unlike = {}): Held {
  return issue(name, undefined, { kind: 'P-256', authority: false, ...unlike })
}

const SENDER = `@id("planner-deletes") @owner("team-agents") @sender("mtls")
permit (
  principal == ServiceAccount::"prod-eu/agents/planner",
  action == Action::"trades:delete",
  resource == Audience::"${RESOURCE}"
);
`
/** A network that no test is in. */
const PROXIED = { trustedProxies: ['10.0.0.0/8'] }

const [READING = ''] = POLICIES['trades.cedar'].split('@id("planner-writes")')

export type MtlsOptions = {
  /** Of whom the listener asks a certificate. Default: of anyone. */
  readonly asks?: 'nobody' | 'anyone'
  /** Further settings of the listener. */
  readonly listen?: Readonly<Record<string, unknown>>
  readonly resource?: Readonly<Record<string, unknown>>
  /** In place of the policies and of the cluster. */
  readonly policy?: string
  readonly trust?: readonly object[]
}

/** `trades:delete` needs a token that is bound to a certificate; `trades:read` is for any. */
export async function startMtls(t: TestContext, options: MtlsOptions = {}) {
  const { asks = 'anyone', listen = {}, resource = {}, policy = READING + SENDER, trust } = options
  const folder = scratch(t)
  const ca = writePair(folder, NAME).cert
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
  const tls = { ...files, clientCertificates: asks === 'anyone' ? 'request' : 'off' }
  const world = await startBroker(t, {
    policies: { 'trades.cedar': policy },
    settings: {
      ...(trust !== undefined && { trust }),
      listen: { host: '127.0.0.1', tls, ...listen },
      resources: [{ audience: RESOURCE, scopes: ['trades:read', 'trades:delete'], ...resource }],
    },
  })
  const lines: string[] = []
  const log = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const app = publicServer(world.broker, {
    logger: createLogger(log, 'info'),
    trustedProxies: [],
    tls: readCertificate({ setting: 'listen.tls', ...files, clientCa: null }),
    asks,
    forwarded: 'trustedProxies' in listen,
  })
  t.after(() => app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const reach = (path: string, how: object, body = ''): Promise<Answer> =>
    call(`https://127.0.0.1:${port}${path}`, { ca, servername: NAME, ...how }, body)
  const form = () => new URLSearchParams(world.form())
  return { ...world, ca, port, reach, ask: asking(reach, form), log: () => lines.join('') }
}

/** The same as `serve` runs it, with whatever else `listen.tls` says. @param clientCa PEM of the authorities in it */
export async function startMtlsRun(t: TestContext, clientCa?: string) {
  let ca = ''
  const site = await startRun(t, (folder) => {
    ca = writePair(folder, NAME).cert
    const file = join(folder, 'clients.pem')
    if (clientCa !== undefined) writeFileSync(file, clientCa)
    const pair = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
    const asked = clientCa === undefined ? { clientCertificates: 'request' } : { clientCa: file }
    return { listen: { host: '127.0.0.1', port: 0, ...PROXIED, tls: { ...pair, ...asked } } }
  })
  const reach = (path: string, how: object, body = ''): Promise<Answer> =>
    call(`${site.running.publicUrl}${path}`, { ca, servername: NAME, ...how }, body)
  const port = Number(new URL(site.running.publicUrl).port)
  return { ...site, ca, port, ask: asking(reach, site.form) }
}

/** Asks for a token over a connection of its own. */
function asking(
  reach: (path: string, how: object, body: string) => Promise<Answer>,
  form: () => URLSearchParams,
) {
  return async (
    caller: object,
    change: Readonly<Record<string, string>> = {},
    headers: Readonly<Record<string, string | readonly string[]>> = {},
  ) => {
    const fields = form()
    for (const [name, value] of Object.entries(change)) fields.set(name, value)
    const sent = { 'content-type': 'application/x-www-form-urlencoded', ...headers }
    const answer = await reach('/token', { method: 'POST', headers: sent, ...caller }, `${fields}`)
    return { ...answer, json: JSON.parse(answer.body) as Record<string, unknown> }
  }
}
