/** A running broker with its two listeners. `serve`, `dev` and the demo all start here. */

import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { clusterApi } from '../../attestors/kubernetes/client.ts'
import { streamSink } from '../audit.ts'
import { type Broker, createBroker } from '../broker.ts'
import {
  type CertificateFiles,
  certificateFiles,
  type KeptCertificate,
  keepCertificate,
} from '../certificate.ts'
import type { AdminConfig } from '../config/admin.ts'
import type { Config } from '../config.ts'
import { type Access, type Authenticator, byCertificate } from '../http/access.ts'
import { byTokenReview } from '../http/reviewed.ts'
import {
  type Asks,
  adminAsks,
  adminServer,
  publicServer,
  renewCertificate,
} from '../http/server.ts'
import { createLogger } from '../log.ts'
import { createDoor } from '../net/fetch.ts'
import { systemTimers, type Timers } from '../net/timers.ts'
import type { Detail } from '../refusal.ts'
import { openTraces, type Traces } from '../traces.ts'
import { ownVersion } from '../version.ts'

/** What a run needs of its process. */
export type RunOptions = {
  readonly now: () => number
  /** Where audit lines go when the configuration names no file. */
  readonly auditStream: NodeJS.WritableStream
  readonly logStream: NodeJS.WritableStream
  readonly logLevel?: string
  readonly timers?: Timers
}

/** A broker that answers. */
export type Running = {
  readonly broker: Broker
  /** Base URLs of the two listeners, as bound. */
  readonly publicUrl: string
  readonly adminUrl: string
  /** Looks at the files of the certificates, as it also does by itself every half minute. */
  refreshCertificates(): void
  /**
   * Says that it is not ready and serves on for `listen.linger`; then takes nothing new, answers what is under way
   * for 20 seconds at most, and closes the store.
   */
  close(): Promise<void>
}

/** Requests under way have 15 s to arrive and some seconds for their dependencies; Kubernetes kills after 30 s. */
const DRAIN_LIMIT_MS = 20_000

/** Ends of what was begun, undone in reverse order. */
type Ends = (() => void | Promise<void>)[]

/** @throws Error with a sentence for the operator when anything of it cannot start */
export async function run(config: Config, options: RunOptions): Promise<Running> {
  const logger = createLogger(options.logStream, options.logLevel)
  const warn = (detail: Detail, sentence: string) => logger.warn(detail, sentence)
  const timers = options.timers ?? systemTimers
  const ends: Ends = []
  const end = async () => {
    for (const one of ends.splice(0).reverse()) await one()
  }
  try {
    const files = certificateFiles(config)
    const outsideTls = keep(files.outside, warn, ends)
    const insideTls = keep(files.inside, warn, ends)
    const kept = [outsideTls, insideTls].filter((certificate) => certificate !== null)
    const traces = await tracesOf(config, options, warn, ends)
    const broker = await createBroker(config, {
      now: options.now,
      stopwatch: () => performance.now(),
      auditSink: streamSink(options.auditStream),
      warn,
      certificates: () => kept.map((certificate) => certificate.status()),
      clientAuthorities: () => outsideTls?.current().authorities ?? null,
      ...(traces !== null && { traces }),
    })
    ends.push(() => broker.close())
    const { host, port, trustedProxies, clientCertHeader, clientCertificates } = config.listen
    const asks: Asks = clientCertificates.asked ? 'anyone' : 'nobody'
    const outside = publicServer(broker, {
      logger,
      trustedProxies,
      tls: outsideTls?.current() ?? null,
      asks,
      forwarded: trustedProxies.length > 0 && clientCertHeader !== 'ignore',
    })
    const inside = adminServer(broker, {
      logger,
      tls: insideTls?.current() ?? null,
      access: accessOf(config.admin, options.now, timers),
    })
    const servers = [outside, inside]
    ends.push(() => drain(servers, timers))
    await outside.listen({ host, port })
    await inside.listen({ host: config.admin.host, port: config.admin.port })
    const leave = async () => {
      broker.retire()
      await pause(config.listen.lingerSeconds, timers)
      await end()
    }
    let closed: Promise<void> | undefined
    outsideTls?.watch((certificate) => renewCertificate(outside, certificate, asks))
    insideTls?.watch((certificate) => renewCertificate(inside, certificate, adminAsks(certificate)))
    return {
      broker,
      publicUrl: urlOf(outside, outsideTls),
      adminUrl: urlOf(inside, insideTls),
      refreshCertificates() {
        for (const certificate of kept) certificate.refresh()
      },
      close: () => (closed ??= leave()),
    }
  } catch (error) {
    await end()
    throw error
  }
}

function keep(
  files: CertificateFiles | null,
  warn: (detail: Detail, sentence: string) => void,
  ends: Ends,
): KeptCertificate | null {
  if (files === null) return null
  const kept = keepCertificate(files, { warn })
  ends.push(() => kept.close())
  return kept
}

async function tracesOf(
  { telemetry }: Config,
  { now }: RunOptions,
  warn: (detail: Detail, sentence: string) => void,
  ends: Ends,
): Promise<Traces | null> {
  if (telemetry.traces === null) return null
  const stopwatch = () => performance.now()
  const traces = await openTraces({
    ...telemetry.traces,
    version: ownVersion(),
    now,
    stopwatch,
    warn,
  })
  ends.push(() => traces.close())
  return traces
}

function accessOf({ auth, hosts }: AdminConfig, now: () => number, timers: Timers): Access {
  if (auth === null) return { hosts, auth: null }
  return { hosts, auth: { authenticate: authenticatorOf(auth.by, now, timers), allow: auth.allow } }
}

function authenticatorOf(
  by: NonNullable<AdminConfig['auth']>['by'],
  now: () => number,
  timers: Timers,
): Authenticator {
  if (by.kind === 'clientCa') return byCertificate(now)
  const api = clusterApi(by.api, { door: createDoor(), timers, now })
  return byTokenReview({ post: (path, body) => api.post(path, body), audience: by.audience, now })
}

/** Closes both listeners. A caller that neither finishes nor goes away is cut off at the limit. */
async function drain(servers: readonly FastifyInstance[], timers: Timers): Promise<void> {
  const cancel = timers.after(DRAIN_LIMIT_MS, () => {
    for (const { server } of servers) server.closeAllConnections()
  })
  await Promise.all(servers.map((server) => server.close()))
  cancel()
}

function pause(seconds: number, timers: Timers): Promise<void> {
  if (seconds === 0) return Promise.resolve()
  return new Promise((resolve) => {
    timers.after(seconds * 1000, resolve)
  })
}

function urlOf({ server }: FastifyInstance, certificate: KeptCertificate | null): string {
  const { address, port, family } = server.address() as AddressInfo
  const host = family === 'IPv6' ? `[${address}]` : address
  return `${certificate === null ? 'http' : 'https'}://${host}:${port}`
}
