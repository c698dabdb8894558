/**
 * Connections to PostgreSQL, and what happens when it does not answer: every wait is bounded, a lost connection
 * costs another try, and while the database is away nobody waits for it at all. No error of the driver leaves
 * this file as it is: it could carry what the connection was made with.
 */

import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import pg from 'pg'
import type { Timers } from '../../net/timers.ts'

/** Where the database is, and how it is reached. */
export type PostgresOptions = {
  /** A host name, an address, or the folder of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** Null where the server asks for none. */
  readonly password: string | null
  /** Null for plain text. Else the server must show a certificate for `host`; `ca` is the path of a PEM file, or null for the well-known authorities. */
  readonly tls: { readonly ca: string | null } | null
  /** Connections at most, of one replica. */
  readonly connections: number
}

/** What a statement may take, milliseconds. The server ends it first, so that it does not go on unseen. */
export type Limits = { readonly statementMs: number; readonly answerMs: number }

const REQUEST_LIMITS: Limits = { statementMs: 1_500, answerMs: 2_000 }
const CONNECT_MS = 1_500
const KEEP_ALIVE_MS = 10_000
const PROBE_MS = 500
const CLOSE_MS = 2_000

/** Connections that do not wait for `spend`: one listens, two keep decisions and look after the store. */
const JOURNAL_CONNECTIONS = 2
export const RESERVED_CONNECTIONS = JOURNAL_CONNECTIONS + 1

/** One statement; the name lets the server prepare it once a connection. */
export type Statement = { readonly name: string; readonly text: string }

/** `durable` is on the disk when it is answered; `journal` survives a crash of the broker, not of the server. */
export type Lane = 'durable' | 'journal'

/** Rows as the driver reads them: 64-bit integers are text. */
export type Row = Readonly<Record<string, unknown>>

/** The connections of one store. */
export type Connections = {
  /** Runs one statement that may safely run twice. @throws Error without anything secret in it */
  run(lane: Lane, statement: Statement, values: readonly unknown[]): Promise<readonly Row[]>
  /** A connection of its own; whoever makes it ends it. */
  client(limits?: Limits): pg.Client
  /** An error of the driver as it may be shown. */
  told(error: unknown): Error
  close(): Promise<void>
}

/** Makes no connection yet. @throws Error when the file of authorities cannot be read */
export function connections(options: PostgresOptions, timers: Timers): Connections {
  const sockets = new Set<Socket>()
  const ssl = encryption(options.tls)
  const settings = (lane: Lane, limits: Limits) => ({
    ...clientSettings(options, ssl, lane, limits),
    stream: () => tracked(sockets),
  })
  const pool = (lane: Lane, max: number) => {
    const made = new pg.Pool({ ...settings(lane, REQUEST_LIMITS), max })
    // An idle connection that breaks is taken out of the pool; without a listener it would end the process.
    made.on('error', () => undefined)
    return made
  }
  const pools = {
    durable: pool('durable', Math.max(1, options.connections - RESERVED_CONNECTIONS)),
    journal: pool('journal', JOURNAL_CONNECTIONS),
  }
  const told = (error: unknown) => tellable(error, options)
  const gate = gateOf(timers, () => pools.journal.query('SELECT 1'))

  return {
    told,
    async run(lane, { name, text }, values) {
      gate.pass()
      const query = { name, text, values: [...values] }
      for (let tries = 1; ; tries += 1) {
        try {
          return (await pools[lane].query(query)).rows
        } catch (error) {
          // A broken connection has left the pool; when all were broken, the last try makes a new one.
          if (tries <= options.connections && isWorthAnotherTry(error)) continue
          const shown = told(error)
          if (isAway(error)) gate.shut(shown)
          throw shown
        }
      }
    },
    client: (limits = REQUEST_LIMITS) => {
      const client = new pg.Client(settings('journal', limits))
      client.on('error', () => undefined)
      return client
    },
    async close() {
      gate.close()
      const ended = Promise.all([pools.durable.end(), pools.journal.end()])
      await Promise.race([ended, new Promise<void>((resolve) => timers.after(CLOSE_MS, resolve))])
      // A server that hangs never says goodbye, and its sockets would keep the process.
      for (const socket of sockets) socket.destroy()
    },
  }
}

function clientSettings(
  { host, port, user, database, password }: PostgresOptions,
  ssl: pg.ClientConfig['ssl'],
  lane: Lane,
  limits: Limits,
): pg.ClientConfig {
  return {
    host,
    port,
    user,
    database,
    // A function hides it from whoever prints the settings, and keeps the driver from looking elsewhere.
    password: () => password ?? '',
    ssl,
    application_name: 'countersign',
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: limits.statementMs,
    query_timeout: limits.answerMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    options: `-c synchronous_commit=${lane === 'durable' ? 'on' : 'off'}`,
  }
}

/** The driver checks the certificate and its name unless it is told not to. */
function encryption(tls: PostgresOptions['tls']): boolean | { readonly ca: string } {
  if (tls === null || tls.ca === null) return tls !== null
  try {
    return { ca: readFileSync(tls.ca, 'utf8') }
  } catch (cause) {
    throw new Error(`cannot read store.ca: ${(cause as Error).message}`, { cause })
  }
}

function tracked(sockets: Set<Socket>): Socket {
  const socket = new Socket()
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
  return socket
}

type Gate = {
  /** @throws the error that shut it */
  pass(): void
  shut(error: Error): void
  close(): void
}

/** Shut while the database is away: requests are refused at once instead of each waiting for itself. */
function gateOf(timers: Timers, probe: () => Promise<unknown>): Gate {
  let reason: Error | null = null
  let cancel = () => {}
  const probeLater = () => {
    cancel = timers.after(PROBE_MS, () => {
      probe().then(() => {
        reason = null
      }, probeLater)
    })
  }
  return {
    pass() {
      // Made anew: an error that many requests threw has no one stack.
      if (reason !== null) throw new Error(reason.message)
    },
    shut(error) {
      if (reason === null) probeLater()
      reason = error
    },
    close() {
      cancel()
      reason = new Error('the store is closed')
    },
  }
}

/** SQLSTATE (PostgreSQL, appendix A); undefined for what never reached a server. */
function sqlState(error: unknown): string | undefined {
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** The server is not there, ends, starts, is full or does not know us. */
function isAway(error: unknown): boolean {
  const state = sqlState(error)
  return state === undefined || /^(08|28|57P|53300)/.test(state)
}

/** A connection broke, or nothing came of a deadlock or of a server that has become a standby. */
function isWorthAnotherTry(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== undefined) return /^(08|57P0[12]|40001|40P01|25006)/.test(state)
  // Whoever has waited its time for an answer, or was refused, must not go through that again.
  const { code, message } = error as NodeJS.ErrnoException
  return (
    code === 'ECONNRESET' ||
    code === 'EPIPE' ||
    /terminated unexpectedly|not queryable/.test(message)
  )
}

/** One sentence of text, made anew: no cause, no members, and nothing of the password. */
function tellable(error: unknown, { host, port, password }: PostgresOptions): Error {
  const failed = error instanceof AggregateError ? error.errors[0] : error
  const message = failed instanceof Error ? failed.message : String(failed)
  const text = password ? message.replaceAll(password, '[password]') : message
  const state = sqlState(failed)
  return new Error(`PostgreSQL at ${host}:${port}: ${text}${state ? ` (${state})` : ''}`)
}
