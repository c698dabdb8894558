/** A running broker with its two listeners. `serve`, `dev` and the demo all start here. */

import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { streamSink } from '../audit.ts'
import { type Broker, createBroker } from '../broker.ts'
import type { Config } from '../config.ts'
import { adminServer, publicServer } from '../http/server.ts'
import { createLogger } from '../log.ts'

/** What a run needs of its process. */
export type RunOptions = {
  readonly now: () => number
  /** Where audit lines go when the configuration names no file. */
  readonly auditStream: NodeJS.WritableStream
  readonly logStream: NodeJS.WritableStream
  readonly logLevel?: string
}

/** A broker that answers. */
export type Running = {
  readonly broker: Broker
  /** Base URLs of the two listeners, as bound. */
  readonly publicUrl: string
  readonly adminUrl: string
  /** Stops accepting, lets requests under way finish, then closes the store. */
  close(): Promise<void>
}

/** @throws Error with a sentence for the operator when anything of it cannot start */
export async function run(config: Config, options: RunOptions): Promise<Running> {
  const logger = createLogger(options.logStream, options.logLevel)
  const broker = await createBroker(config, {
    now: options.now,
    stopwatch: () => performance.now(),
    auditSink: streamSink(options.auditStream),
    warn: (detail, sentence) => logger.warn(detail, sentence),
  })
  const { host, port, tls, trustedProxies } = config.listen
  const servers: FastifyInstance[] = []
  const close = async () => {
    await Promise.all(servers.map((server) => server.close()))
    broker.close()
  }
  try {
    const outside = publicServer(broker, {
      logger,
      trustedProxies,
      tls: tls && { cert: readFileSync(tls.cert, 'utf8'), key: readFileSync(tls.key, 'utf8') },
    })
    servers.push(outside)
    await outside.listen({ host, port })
    const inside = adminServer(broker, logger)
    servers.push(inside)
    await inside.listen({ ...config.admin })
    const scheme = tls === null ? 'http' : 'https'
    return { broker, publicUrl: urlOf(outside, scheme), adminUrl: urlOf(inside, 'http'), close }
  } catch (error) {
    await close()
    throw error
  }
}

function urlOf(server: FastifyInstance, scheme: string): string {
  const { address, port, family } = server.server.address() as AddressInfo
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
