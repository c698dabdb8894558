/** A broker as `serve` runs it, listeners and all, over a fake cluster: loopback, free ports, the test's clock. */

import { readFileSync, writeFileSync } from 'node:fs'
import { type RequestOptions, request } from 'node:https'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import { type Running, run } from '../../src/cli/run.ts'
import { type Config, loadConfig } from '../../src/config.ts'
import { POLICIES, RESOURCE, writePolicies } from './broker.ts'
import { selfSigned } from './certificate.ts'
import { TestClock } from './clock.ts'
import { FakeCluster } from './cluster.ts'
import { scratch } from './scratch.ts'

export type TestRun = {
  readonly running: Running
  readonly cluster: FakeCluster
  readonly clock: TestClock
  readonly folder: string
  /** What was logged so far. */
  readonly log: () => string
  /** A good form for the token endpoint. */
  readonly form: () => URLSearchParams
}

/** Files of a TLS pair in a folder, made anew; `cert.pem` and `key.pem`. */
export function writePair(folder: string, name: string, validity = {}) {
  const pair = selfSigned(name, validity)
  writeFileSync(join(folder, 'cert.pem'), pair.cert)
  writeFileSync(join(folder, 'key.pem'), pair.key)
  return pair
}

/** @param change sections of the configuration, in place of the defaults; `cluster` is at hand for kubeconfigs */
export async function startRun(
  t: TestContext,
  change: (folder: string, cluster: FakeCluster) => Record<string, unknown> = () => ({}),
): Promise<TestRun> {
  const clock = new TestClock()
  const issuer = 'https://countersign.test'
  const cluster = await new FakeCluster({ clock, audience: issuer }).listen()
  t.after(() => cluster.close())
  const folder = scratch(t)
  const config = settle({
    issuer,
    listen: { host: '127.0.0.1', port: 0 },
    admin: { port: 0 },
    store: { sqlite: ':memory:' },
    trust: [
      {
        kubernetes: {
          cluster: 'prod-eu',
          issuer: cluster.issuer,
          jwks: { discovery: true, allowPrivate: true },
        },
      },
    ],
    resources: [{ audience: RESOURCE, scopes: ['trades:read'] }],
    policies: { path: writePolicies(folder, onlyReading()) },
    ...change(folder, cluster),
  })
  const lines: string[] = []
  const sink = () =>
    new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk))
        done()
      },
    })
  const running = await run(config, {
    now: clock.now,
    timers: clock.timers,
    auditStream: sink(),
    logStream: sink(),
  })
  t.after(() => running.close())
  const form = () =>
    new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: cluster.mint(),
      resource: RESOURCE,
      scope: 'trades:read',
    })
  return { running, cluster, clock, folder, log: () => lines.join(''), form }
}

function onlyReading(): Record<string, string> {
  const [first = ''] = POLICIES['trades.cedar'].split('@id("planner-writes")')
  return { 'trades.cedar': first }
}

function settle(settings: Record<string, unknown>): Config {
  const loaded = loadConfig(JSON.stringify(settings), {
    path: 'test.yaml',
    env: {},
    readFile: (path) => readFileSync(path, 'utf8'),
    baseDir: '/',
  })
  if ('config' in loaded) return loaded.config
  throw new Error(JSON.stringify(loaded.problems, null, 2))
}

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

/** One request over TLS on a connection of its own, unless `agent` says otherwise. */
export function call(url: string, options: RequestOptions = {}, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent: false, ...options }, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text })
    })
    outgoing.on('error', reject).end(body)
  })
}
