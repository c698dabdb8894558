/**
 * A private PostgreSQL in a temporary folder: started, stopped, hung and crashed at will. Its database cluster is
 * gone when the test ends. Needs the server's programs, as Debian's `postgresql` package installs them.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { freePorts } from '../../src/cli/ports.ts'
import type { PostgresOptions } from '../../src/store/postgres/connections.ts'
import type { Certificate } from '../world/certificate.ts'

/** The password of every role, so that a test can look for it in what was written. */
export const PASSWORD = 'a-password-that-no-log-may-hold'

export type Postgres = {
  readonly port: number
  /** Makes an empty database; its URL, password included. */
  database(): Promise<string>
  /** Runs one statement as superuser and returns its rows. */
  sql(url: string, text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>
  /** Ends the connections of a database whose application name begins with `countersign`; returns how many. */
  terminate(url: string): Promise<number>
  /** Stops every process of the server, as a host that hangs does. */
  hang(): void
  resume(): void
  /** Kills every process of the server at once. */
  crash(): Promise<void>
  start(): Promise<void>
  /** Runs one of PostgreSQL's programs, such as `pg_dump`, and returns what it prints. */
  program(name: string, ...args: readonly string[]): Buffer
  /** Ends the server and removes its folder. */
  close(): Promise<void>
}

/** PostgreSQL refuses to run as root. */
function owner(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

function programs(): string {
  const found = globSync('/usr/lib/postgresql/*/bin').sort().at(-1)
  if (found === undefined) throw new Error('install PostgreSQL: apt-get install postgresql')
  return found
}

/** @param tls a certificate, for a server that encrypts */
export async function startPostgres(tls?: Certificate): Promise<Postgres> {
  const bin = programs()
  const as = owner()
  const folder = mkdtempSync(join(tmpdir(), 'countersign-postgres-'))
  const data = join(folder, 'data')
  const secret = join(folder, 'password')
  writeFileSync(secret, PASSWORD)
  const [cert, key] = [join(folder, 'server.crt'), join(folder, 'server.key')]
  writeFileSync(cert, tls?.cert ?? '')
  writeFileSync(key, tls?.key ?? '', { mode: 0o600 })
  if (as) for (const path of [folder, secret, cert, key]) chownSync(path, as.uid, as.gid)
  const program = (name: string, ...args: readonly string[]) =>
    execFileSync(join(bin, name), args, { ...as, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  program(
    'initdb',
    ...['--pgdata', data, '--no-sync', '--encoding', 'UTF8', '--locale', 'C'],
    ...['--username', 'countersign', '--auth', 'scram-sha-256', '--pwfile', secret],
  )
  const [port = 0] = await freePorts(1)
  const urlOf = (database: string) =>
    `postgres://countersign:${PASSWORD}@127.0.0.1:${port}/${database}`

  let server: ChildProcess | null = null
  const sql: Postgres['sql'] = async (url, text, values = []) => {
    const client = new pg.Client({ connectionString: url, application_name: 'test' })
    client.on('error', () => undefined)
    await client.connect()
    try {
      return (await client.query(text, [...values])).rows
    } finally {
      await client.end()
    }
  }
  /** The postmaster and everything it forked. */
  const family = (): readonly number[] => {
    const pid = server?.pid
    if (pid === undefined) return []
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return [pid, ...children.split(' ').filter(Boolean).map(Number)]
  }
  const signal = (name: NodeJS.Signals) => {
    for (const pid of family()) process.kill(pid, name)
  }
  const start = async () => {
    const fixed = [
      `port=${port}`,
      'listen_addresses=127.0.0.1',
      `unix_socket_directories=${folder}`,
    ]
    const light = ['fsync=off', 'shared_buffers=16MB', 'max_connections=80', 'autovacuum=off']
    const encrypted = tls ? ['ssl=on', `ssl_cert_file=${cert}`, `ssl_key_file=${key}`] : []
    const flags = [...fixed, ...light, ...encrypted].flatMap((setting) => ['-c', setting])
    const child = spawn(join(bin, 'postgres'), ['-D', data, ...flags], {
      ...as,
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    server = child
    let log = ''
    await new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (chunk) => {
        log += chunk
        if (log.includes('ready to accept connections')) resolve()
      })
      child.once('exit', () => reject(new Error(`PostgreSQL did not start:\n${log}`)))
    })
  }
  const end = async (name: NodeJS.Signals) => {
    const child = server
    if (child === null) return
    const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null
    if (name === 'SIGKILL') signal(name)
    else child.kill(name)
    await gone
    server = null
  }
  await start()
  let databases = 0

  return {
    port,
    sql,
    program,
    start,
    async database() {
      databases += 1
      const name = `test_${databases}_${randomBytes(4).toString('hex')}`
      await sql(urlOf('postgres'), `CREATE DATABASE ${name}`)
      return urlOf(name)
    },
    async terminate(url) {
      const rows = await sql(
        url,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND application_name LIKE 'countersign%'`,
      )
      return rows.length
    },
    hang: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    crash: () => end('SIGKILL'),
    async close() {
      signal('SIGCONT')
      await end('SIGINT')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** What the store is opened with, for a database of a test. */
export function optionsOf(url: string, change: Partial<PostgresOptions> = {}): PostgresOptions {
  const { hostname, port, username, password, pathname } = new URL(url)
  return {
    host: hostname,
    port: Number(port),
    user: username,
    password,
    database: pathname.slice(1),
    tls: null,
    connections: 6,
    ...change,
  }
}
