/** A whole broker over a fake cluster that really signs: real composition, in memory, on the test's clock. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { AuditEvent } from '../../src/audit.ts'
import { type Broker, createBroker } from '../../src/broker.ts'
import { type Config, loadConfig, policySettings } from '../../src/config.ts'
import { LOCAL_ACCESS } from '../../src/http/access.ts'
import { adminServer, publicServer } from '../../src/http/server.ts'
import { createLogger } from '../../src/log.ts'
import type { Door } from '../../src/net/fetch.ts'
import { keepPolicies, type Policies } from '../../src/policies.ts'
import { TestClock } from './clock.ts'
import { FakeCluster } from './cluster.ts'
import { scratch } from './scratch.ts'

export const ISSUER = 'https://countersign.test'
export const RESOURCE = 'https://mcp.example.com'
export const WORKLOAD = 'k8s://prod-eu/ns/agents/sa/planner'

/** The planner of the fake cluster reads and writes trades; nobody deletes them. */
export const POLICIES = {
  'trades.cedar': `
@id("planner-reads") @owner("team-agents") @ttl("5m")
permit (
  principal == ServiceAccount::"prod-eu/agents/planner",
  action == Action::"trades:read",
  resource == Audience::"${RESOURCE}"
);
@id("planner-writes") @owner("team-agents") @sender("dpop")
permit (
  principal == ServiceAccount::"prod-eu/agents/planner",
  action == Action::"trades:write",
  resource == Audience::"${RESOURCE}"
);
@id("planner-issue") @owner("team-agents")
permit (
  principal == ServiceAccount::"prod-eu/agents/planner",
  action == Action::"issue",
  resource == Audience::"${RESOURCE}"
);
`,
}

/** Settings merged over the defaults below, section by section. */
export type Settings = Readonly<Record<string, unknown>>

export type BrokerOptions = {
  readonly settings?: Settings
  /** Settings of the trust entry, merged over its defaults. */
  readonly trust?: Settings
  readonly policies?: Readonly<Record<string, string>>
  /** Policies that this test alone loads, changes or breaks; else equal ones are loaded once for all. */
  readonly ownPolicies?: boolean
  readonly issuer?: string
  /** A line that must not be written rejects the request that it is about. */
  readonly auditFails?: () => boolean
  readonly trustedProxies?: readonly string[]
  /** Seconds that the broker's clock is ahead of the test's. */
  readonly late?: () => number
  /** The broker's monotonic clock, milliseconds; it stands still when absent. */
  readonly stopwatch?: () => number
  /** Runs before the broker starts. */
  readonly before?: (cluster: FakeCluster, clock: TestClock) => void | Promise<void>
  /** The broker's way out, made after `before`. */
  readonly door?: () => Door
}

export type TestBroker = {
  readonly broker: Broker
  readonly app: FastifyInstance
  readonly admin: FastifyInstance
  readonly cluster: FakeCluster
  readonly clock: TestClock
  readonly issuer: string
  readonly policiesPath: string
  /** Events written so far, parsed. */
  readonly events: () => AuditEvent[]
  /** Everything that was logged or audited so far, as text. */
  readonly written: () => string
  /** Is told each time the broker reads its clock. */
  onClock(listen: () => void): void
  /** Posts a form to the token endpoint. */
  ask(
    form: Readonly<Record<string, string>> | string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<TokenAnswer>
  /** A good form on the assertion carrier, changed by `change`. */
  form(change?: Readonly<Record<string, string>>): Record<string, string>
}

export type TokenAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Readonly<Record<string, unknown>>
}

export async function startBroker(
  t: Pick<TestContext, 'after'>,
  options: BrokerOptions = {},
): Promise<TestBroker> {
  const clock = new TestClock()
  const issuer = options.issuer ?? ISSUER
  const cluster = await new FakeCluster({ clock, audience: issuer }).listen()
  t.after(() => cluster.close())
  await options.before?.(cluster, clock)
  const files = options.policies ?? POLICIES
  const isShared = options.ownPolicies !== true
  const policiesPath = isShared ? sharedFolder(files) : writePolicies(scratch(t), files)
  const lines: string[] = []
  const log = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const logger = createLogger(log, 'trace')
  const audit: string[] = []
  let listener = () => {}
  const config = settle(baseSettings(issuer, cluster, policiesPath, options))
  const broker = await createBroker(config, {
    ...(isShared && { policies: await sharedPolicies(config) }),
    now: () => {
      listener()
      return clock.now() + (options.late?.() ?? 0) * 1000
    },
    stopwatch: options.stopwatch ?? (() => 0),
    timers: clock.timers,
    ...(options.door && { door: options.door() }),
    warn: (detail, sentence) => logger.warn(detail, sentence),
    auditSink: {
      async write(line) {
        if (options.auditFails?.() === true) throw new Error('the disk is full')
        audit.push(line)
      },
      close() {},
    },
  })
  const app = publicServer(broker, {
    logger,
    trustedProxies: options.trustedProxies ?? [],
    tls: null,
  })
  const admin = adminServer(broker, { logger, tls: null, access: LOCAL_ACCESS })
  t.after(async () => {
    await Promise.all([app.close(), admin.close()])
    await broker.close()
  })
  const form = (change: Readonly<Record<string, string>> = {}) => ({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: cluster.mint(),
    resource: RESOURCE,
    scope: 'trades:read',
    ...change,
  })
  return {
    broker,
    app,
    admin,
    cluster,
    clock,
    issuer,
    policiesPath,
    form,
    events: () => audit.map((line) => JSON.parse(line) as AuditEvent),
    written: () => [...audit, ...lines].join(''),
    onClock(listen) {
      listener = listen
    },
    async ask(sent, headers = {}) {
      const payload = typeof sent === 'string' ? sent : new URLSearchParams(sent).toString()
      const response = await app.inject({
        method: 'POST',
        url: new URL(`${issuer}/token`).pathname,
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        payload,
      })
      return { status: response.statusCode, headers: response.headers, body: response.json() }
    },
  }
}

function baseSettings(
  issuer: string,
  cluster: FakeCluster,
  policiesPath: string,
  { settings = {}, trust = {} }: BrokerOptions,
): Settings {
  return {
    issuer,
    listen: { host: '127.0.0.1' },
    store: { sqlite: ':memory:' },
    trust: [
      {
        kubernetes: {
          cluster: 'prod-eu',
          issuer: cluster.issuer,
          environment: 'production',
          jwks: { discovery: true, allowPrivate: true },
          ...trust,
        },
      },
    ],
    resources: [{ audience: RESOURCE, scopes: ['trades:read', 'trades:write', 'trades:delete'] }],
    policies: { path: policiesPath },
    ...settings,
  }
}

function settle(settings: Settings) {
  const loaded = loadConfig(JSON.stringify(settings), {
    path: 'test.yaml',
    env: {},
    readFile: (path) => readFileSync(path, 'utf8'),
    baseDir: '/',
  })
  if ('config' in loaded) return loaded.config
  throw new Error(JSON.stringify(loaded.problems, null, 2))
}

export function writePolicies(folder: string, files: Readonly<Record<string, string>>): string {
  const path = join(folder, 'policies')
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text)
  }
  mkdirSync(path, { recursive: true })
  return path
}

const folders = new Map<string, string>()
const loaded = new Map<string, Promise<Policies>>()

/** A folder with these files that lasts as long as this process. */
function sharedFolder(files: Readonly<Record<string, string>>): string {
  const key = JSON.stringify(files)
  const known = folders.get(key)
  if (known !== undefined) return known
  if (folders.size === 0) process.once('exit', removeFolders)
  const folder = mkdtempSync(join(tmpdir(), 'countersign-policies-'))
  const path = writePolicies(folder, files)
  folders.set(key, path)
  return path
}

function removeFolders(): void {
  for (const path of folders.values()) rmSync(dirname(path), { recursive: true, force: true })
}

/** Loading takes a thread and most of the time that a broker needs to start. */
function sharedPolicies(config: Config): Promise<Policies> {
  const settings = policySettings(config)
  const { path } = config.policies
  const key = JSON.stringify([path, settings])
  const known = loaded.get(key) ?? keepPolicies({ path, settings, now: () => 0, warn: () => {} })
  loaded.set(key, known)
  return known
}
