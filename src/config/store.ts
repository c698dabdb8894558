/** Where the broker keeps what it must remember: a file of its own, or a database that replicas share. */

import Type, { type Static } from 'typebox'
import type { Findings, SettingPath } from './findings.ts'
import { filePath, strict } from './parts.ts'
import { IN_MEMORY } from './paths.ts'
import { type Outside, readReference, Secret, warnOfLiteral } from './secrets.ts'
import { isLoopback } from './uris.ts'

const DEFAULT_SQLITE = '/var/lib/countersign/state.db'
const DEFAULT_CONNECTIONS = 10
const DEFAULT_PORT = 5432

/** JSON Schema of `store`. That there is exactly one of `sqlite` and `postgres` is said by `readStore`. */
export const StoreSettings = Type.Object(
  {
    sqlite: Type.Optional(filePath(`The database file, for one replica (${DEFAULT_SQLITE})`)),
    postgres: Type.Optional(
      Type.String({
        writeOnly: true,
        description:
          // biome-ignore lint/suspicious/noTemplateCurlyInString: the notation of the file
          '${file:…} or ${env:…} of postgres://user:password@host:5432/database?sslmode=…, for any number of replicas',
      }),
    ),
    ca: Type.Optional(
      filePath('PEM file of the authorities that may vouch for the PostgreSQL server'),
    ),
    connections: Type.Optional(
      Type.Integer({
        minimum: 4,
        maximum: 100,
        default: DEFAULT_CONNECTIONS,
        description: 'Connections of one replica to PostgreSQL, at most',
      }),
    ),
  },
  { ...strict, description: 'Either sqlite or postgres' },
)

/** A PostgreSQL database, as its URL names it. */
export type DatabaseConfig = {
  /** A host name, an address, or the folder of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: Secret | null
  readonly database: string
  /** Null for plain text. Else the server is authenticated; `ca` is null for the well-known authorities. */
  readonly tls: { readonly ca: string | null } | null
  readonly connections: number
}

/** Which store there is. */
export type StoreConfig = { readonly sqlite: string } | { readonly postgres: DatabaseConfig }

/** Reads the section. What was refused keeps its default. */
export function readStore(
  raw: Static<typeof StoreSettings> | undefined,
  find: Findings,
  outside: Outside,
): StoreConfig {
  const at = ['store']
  const sqlite = find.part(raw, at, 'sqlite')
  const postgres = find.part(raw, at, 'postgres')
  if (raw !== undefined && find.sound(at) && (sqlite === undefined) === (postgres === undefined)) {
    find.error(at, 'must have exactly one of sqlite, postgres')
  }
  if (postgres === undefined) {
    for (const name of ['ca', 'connections'] as const) {
      if (raw?.[name] !== undefined) find.error([...at, name], 'has a meaning only with postgres')
    }
    return { sqlite: readSqlite(sqlite ?? DEFAULT_SQLITE, find) }
  }
  const path = [...at, 'postgres']
  const ca = find.part(raw, at, 'ca') ?? null
  const connections = find.part(raw, at, 'connections') ?? DEFAULT_CONNECTIONS
  const reference = readReference(postgres, path, find, outside)
  const address = reference === null ? null : readUrl(reference.value, path, find)
  if (reference === null || address === null) return { sqlite: DEFAULT_SQLITE }
  if (reference.isLiteral && address.password !== null) warnOfLiteral(path, find)
  if (ca !== null && !address.tls) {
    find.error([...at, 'ca'], 'is not used: the connection is not encrypted')
  }
  return { postgres: { ...address, tls: address.tls ? { ca } : null, connections } }
}

function readSqlite(sqlite: string, find: Findings): string {
  if (sqlite === IN_MEMORY) {
    find.warn(
      ['store', 'sqlite'],
      'is in memory: keys and spent evidence are forgotten at the next start',
    )
  }
  return sqlite
}

type Address = Omit<DatabaseConfig, 'tls' | 'connections'> & { readonly tls: boolean }

/** Whether the connection is encrypted, by `sslmode` (libpq, §34.19). Encrypted means authenticated, always. */
const SSL_MODES: ReadonlyMap<string, boolean> = new Map([
  ['disable', false],
  ['require', true],
  ['verify-ca', true],
  ['verify-full', true],
])

/** Reads a connection URL. No message repeats any of it: wherever it is malformed, it could be the password. */
function readUrl(text: string, path: SettingPath, find: Findings): Address | null {
  const url = parts(text)
  if (url === null) {
    find.error(
      path,
      'is not a URL such as postgres://user:password@host:5432/database; a password is percent-encoded',
    )
    return null
  }
  const { host, port, user, password, database, parameters } = url
  if ([...parameters.keys()].some((name) => name !== 'host' && name !== 'sslmode')) {
    find.error(path, 'has a parameter other than host and sslmode')
  }
  const mode = parameters.get('sslmode')
  const encrypted = mode === null ? !isLoopback(host) : SSL_MODES.get(mode)
  if (encrypted === undefined) {
    const modes = [...SSL_MODES.keys()].join(', ')
    find.error(
      path,
      `has an sslmode that is not one of ${modes}; others may fall back to plain text`,
    )
  }
  return {
    host,
    port: port === '' ? DEFAULT_PORT : Number(port),
    user,
    password: password === '' ? null : new Secret(password),
    database,
    // A socket is a file of this machine.
    tls: encrypted === true && !host.startsWith('/'),
  }
}

/** The decoded parts of a URL with all that a connection needs, or null. */
function parts(text: string) {
  const url = URL.parse(text)
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol) || url.hash !== '') return null
  const parameters = url.searchParams
  try {
    const [host, user, password, database] = [
      parameters.get('host') ?? url.hostname.replace(/^\[|\]$/g, ''),
      url.username,
      url.password,
      url.pathname.slice(1),
    ].map(decodeURIComponent) as [string, string, string, string]
    const isWhole = host !== '' && user !== '' && database !== ''
    return isWhole ? { host, port: url.port, user, password, database, parameters } : null
  } catch {
    // A stray % is most likely one of a password that was not encoded.
    return null
  }
}
