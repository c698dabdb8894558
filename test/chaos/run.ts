/**
 * `npm run test:chaos -- [--seconds N]`: three replicas on one PostgreSQL under load. Every few seconds one of them
 * is killed, now and then all connections of the database are ended, and keys rotate all the while. No one-time
 * evidence may be accepted twice, and every token must verify with what the replicas publish.
 */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freePorts } from '../../src/cli/ports.ts'
import { standIn } from '../../src/cli/standin.ts'
import { signingKeys } from '../../src/keys.ts'
import { sealer } from '../../src/seal.ts'
import { openPostgres } from '../../src/store/postgres/store.ts'
import { optionsOf, PASSWORD, type Postgres, startPostgres } from '../postgres/server.ts'
import { call, type Load, type Tally, tally } from './load.ts'
import { type Replica, startReplica } from './replica.ts'

const REPLICAS = 3
const CALLERS = 4
const KILL_EVERY_MS = 3_000
const TERMINATE_EVERY_MS = 4_000
/** So that several keys sign within one run; each is published for half of it before it signs. */
const ROTATE_EVERY_SECONDS = 8
const RESOURCE = 'https://mcp.example.com'
const POLICY = `@id("read") @owner("x") permit (principal == ServiceAccount::"prod-eu/payments/settlement",
  action == Action::"trades:read", resource == Audience::"${RESOURCE}");`

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '30' } } })
const cleanup: (() => unknown)[] = []
let stopping = false
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    stopping = true
  })
}
try {
  process.exitCode = await chaos(Number(values.seconds))
} finally {
  for (const end of cleanup.toReversed()) await end()
}

async function chaos(seconds: number): Promise<number> {
  const server = await startPostgres()
  cleanup.push(() => server.close())
  const url = await server.database()
  const secret = randomBytes(32).toString('base64url')
  const { replicas, load } = await stage({ DATABASE_URL: url, KEYS_SECRET: secret })
  const counted = tally()
  const disorder = { kills: 0, terminated: 0 }
  const until = performance.now() + seconds * 1000
  const stopped = () => stopping || performance.now() > until
  await Promise.all([
    ...Array.from({ length: CALLERS }, () => call(load, counted, stopped)),
    kill(replicas, disorder, stopped),
    terminate(server, url, disorder, stopped),
    rotate(url, secret, stopped),
  ])
  // After all that, every replica serves again by itself.
  const after = await Promise.all(
    replicas.map(async (replica) => {
      const calm = tally()
      let turns = 0
      await call({ ...load, replicas: [replica] }, calm, () => turns++ === 1)
      return calm.tokens
    }),
  )
  const logs = await Promise.all(replicas.map((replica) => replica.stop()))
  const faults = [
    ...report(counted, disorder, replicas),
    ...(after.every((tokens) => tokens === 1) ? [] : ['a replica did not recover']),
    ...(logs.some((log) => log.includes(PASSWORD)) ? ['a log holds the password'] : []),
  ]
  for (const fault of faults) process.stdout.write(`FAULT: ${fault}\n`)
  return faults.length === 0 ? 0 : 1
}

/** Three replicas of one issuer, and a cluster whose pods they trust. */
async function stage(env: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-chaos-'))
  cleanup.push(() => rmSync(folder, { recursive: true, force: true }))
  const cluster = await standIn()
  cleanup.push(() => cluster.close())
  const policies = join(folder, 'read.cedar')
  writeFileSync(policies, POLICY)
  const ports = await freePorts(2 * REPLICAS)
  const issuer = `http://127.0.0.1:${ports[0]}`
  const trusted = { clusterIssuer: cluster.issuer, trust: 'replay: once' }
  const site = { folder, issuer, ...trusted, resource: RESOURCE, policies, env }
  const starting = Array.from({ length: REPLICAS }, (_, index) =>
    startReplica(site, ports[2 * index] ?? 0, ports[2 * index + 1] ?? 0),
  )
  // At once, on an empty database.
  for (const replica of starting) cleanup.push(async () => (await replica).stop())
  const replicas = await Promise.all(starting)
  const mint = () => {
    const pod = { namespace: 'payments', serviceAccount: 'settlement' }
    const issuedAt = Math.floor(Date.now() / 1000)
    return cluster.token(pod, { audience: issuer, issuedAt, lifetime: 600 })
  }
  const load: Load = { replicas, issuer, resource: RESOURCE, mint }
  return { replicas, load }
}

async function kill(
  replicas: readonly Replica[],
  disorder: { kills: number },
  stopped: () => boolean,
): Promise<void> {
  await passed(KILL_EVERY_MS, stopped)
  // One at a time: the next is not killed before the last one serves again.
  for (let turn = 0; !stopped(); turn += 1) {
    disorder.kills += 1
    const restarting = replicas[turn % replicas.length]?.restart()
    await Promise.all([restarting, passed(KILL_EVERY_MS, stopped)])
  }
}

async function terminate(
  server: Postgres,
  url: string,
  disorder: { terminated: number },
  stopped: () => boolean,
): Promise<void> {
  while (await passed(TERMINATE_EVERY_MS, stopped)) {
    disorder.terminated += await server.terminate(url)
  }
}

/** A further replica, as far as keys go, whose keys live much shorter. */
async function rotate(url: string, secret: string, stopped: () => boolean): Promise<void> {
  const store = await openPostgres(optionsOf(url))
  const keys = signingKeys(store, sealer(secret, 'signing keys'), ROTATE_EVERY_SECONDS)
  while (await passed(500, stopped)) {
    // Its connections are ended like all others.
    await keys.refresh(Math.floor(Date.now() / 1000)).catch(() => undefined)
  }
  await store.close()
}

async function passed(milliseconds: number, stopped: () => boolean): Promise<boolean> {
  const until = performance.now() + milliseconds
  while (performance.now() < until && !stopped()) await pause(50)
  return !stopped()
}

/** Prints the counts. @returns what must not have happened */
function report(
  counted: Tally,
  { kills, terminated }: { readonly kills: number; readonly terminated: number },
  replicas: readonly Replica[],
): readonly string[] {
  const recorded = replicas.flatMap((replica) => replica.recorded())
  const reasons = new Map(recorded.map(({ id, reason }) => [id, reason ?? 'internal_error']))
  const failures = new Map<string, number>()
  for (const id of counted.failed) {
    const reason = reasons.get(id) ?? 'not recorded'
    failures.set(reason, (failures.get(reason) ?? 0) + 1)
  }
  // What was issued also counts where the answer was lost with its replica.
  const issued = recorded.filter(({ outcome }) => outcome === 'issued')
  const evidence = new Set(issued.map(({ evidence: [shown] }) => shown?.digest))
  const twice = issued.length - evidence.size
  const byReason = [...failures].map(([reason, count]) => `${count} ${reason}`).join(', ')
  process.stdout.write(`requests               ${counted.requests} for ${counted.assertions} assertions
kills                  ${kills}
connections ended      ${terminated} of the database
closed on callers      ${counted.closed}
tokens                 ${counted.tokens} answered, ${issued.length} in the audit logs, by ${counted.signedBy.size} keys
refused as replayed    ${counted.replayed}
5xx                    ${counted.failed.length}${byReason === '' ? '' : ` (${byReason})`}
double-spends          ${counted.doubleSpends} answered, ${twice} in the audit logs
unverifiable tokens    ${counted.unverifiable}
`)
  return [
    ...(counted.doubleSpends + twice > 0 ? ['one-time evidence was accepted twice'] : []),
    ...(counted.unverifiable > 0 ? ['a token does not verify with the published keys'] : []),
    ...(counted.surprises.length > 0 ? [`unexpected: ${counted.surprises.join(', ')}`] : []),
    ...(counted.tokens === 0 || kills === 0 ? ['there was no chaos'] : []),
  ]
}
