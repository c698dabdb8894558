/**
 * The embedded store: one SQLite file in WAL mode, for a single replica. Two connections, because they
 * promise different things: spent evidence and keys are on the disk before an answer leaves
 * (`synchronous=FULL`), kept decisions survive the process only (`NORMAL`) and so cost no fsync a request.
 */

import { closeSync, fchmodSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as immediate, setTimeout as pause } from 'node:timers/promises'
import { changes } from './changes.ts'
import { REVOCATION_TABLES, revocationsIn } from './sqliterevocations.ts'
import type { KeyRecord, Store, StoredDecision } from './store.ts'
import { grouped } from './turn.ts'

const SCHEMA_VERSION = 2

const DURABLE_TABLES = `
  CREATE TABLE IF NOT EXISTS spent (key TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS spent_until ON spent (until);
  CREATE TABLE IF NOT EXISTS pin (key TEXT PRIMARY KEY, holder TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS pin_until ON pin (until);
  CREATE TABLE IF NOT EXISTS signing_key (
    sequence INTEGER PRIMARY KEY,
    kid TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    signs_from INTEGER NOT NULL,
    public_jwk TEXT NOT NULL,
    sealed_private BLOB NOT NULL
  );
  ${REVOCATION_TABLES}`

// With a rowid: events are appended, and only their short ids are sorted into the index.
const DECISION_TABLES = `
  CREATE TABLE IF NOT EXISTS decision (id TEXT PRIMARY KEY, at INTEGER NOT NULL, event TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS decision_at ON decision (at);`

/** Rows dropped at a time, so that nothing stalls however many there are. */
const PRUNE_BATCH = 2_000

/** Another process may hold the lock (a backup): tried this often, this far apart, without blocking the event loop. */
const BUSY = { attempts: 40, pauseMs: 25 }
const SQLITE_BUSY = 5
const OPEN_TIMEOUT_MS = 2_000

type Spend = { readonly key: string; readonly until: number }
type Pin = Spend & { readonly holder: string }

/**
 * Opens or creates the store.
 *
 * @param path a file, made readable by its owner alone, or `:memory:`
 * @throws Error with a sentence for the operator when the file is unusable or from a newer version
 */
export function openSqlite(path: string): Store {
  if (path !== ':memory:') protect(path)
  const durable = connect(path, 'FULL', DURABLE_TABLES)
  const journal = connect(path, 'NORMAL', DECISION_TABLES)

  const insertSpent = durable.prepare('INSERT OR IGNORE INTO spent (key, until) VALUES (?, ?)')
  const deleteSpent = durable.prepare('DELETE FROM spent WHERE key = ?')
  const putDecision = journal.prepare(
    'INSERT OR REPLACE INTO decision (id, at, event) VALUES (?, ?, ?)',
  )
  const selectDecision = journal.prepare('SELECT event FROM decision WHERE id = ? AND at >= ?')

  const pinned = pinning(durable)
  const { onChange, tell } = changes()
  const revocations = revocationsIn(durable, async (work) => {
    const changed = await transaction(durable, work)
    if (changed !== null) tell('revocations')
    return changed
  })

  const spend = grouped((spends: readonly Spend[]) =>
    transaction(durable, () =>
      spends.map(({ key, until }) => insertSpent.run(key, until).changes === 1),
    ),
  )
  const pin = grouped((pins: readonly Pin[]) => transaction(durable, () => pins.map(pinned)))
  const keepDecision = grouped((decisions: readonly StoredDecision[]) =>
    transaction(journal, () =>
      decisions.map(({ id, at, event }) => putDecision.run(id, at, event)),
    ),
  )

  return {
    spend: (key, until) => spend({ key, until }),
    async unspend(key) {
      await transaction(durable, () => deleteSpent.run(key))
    },
    pin: (key, holder, until) => pin({ key, holder, until }),
    async keepDecision(decision) {
      await keepDecision(decision)
    },
    async findDecision(id, notBefore) {
      const row = selectDecision.get(id, notBefore)
      return row === undefined ? null : String(row['event'])
    },
    async listKeys() {
      return durable.prepare('SELECT * FROM signing_key ORDER BY sequence').all().map(keyRecord)
    },
    async addKey(record) {
      const added = await transaction(durable, () => addKey(durable, record))
      if (added) tell('signing_keys')
      return added
    },
    ...revocations,
    async prune(now, decisionsBefore) {
      await prune(durable, 'spent', 'key', 'until', now)
      await prune(durable, 'pin', 'key', 'until', now)
      await prune(durable, 'revocation', 'name', 'until', now)
      await prune(journal, 'decision', 'id', 'at', decisionsBefore)
    },
    onChange,
    async close() {
      durable.close()
      journal.close()
    },
  }
}

function connect(path: string, synchronous: 'FULL' | 'NORMAL', tables: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: OPEN_TIMEOUT_MS })
  try {
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous};`)
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
    if (version > SCHEMA_VERSION) {
      throw new Error(`${path} was written by a newer version (schema ${version})`)
    }
    attempt(database, () => database.exec(`${tables} PRAGMA user_version = ${SCHEMA_VERSION};`))
    // From now on `transaction` waits, not the event loop.
    database.exec('PRAGMA busy_timeout = 0')
    return database
  } catch (cause) {
    database.close()
    throw new Error(`cannot use the store ${path}: ${(cause as Error).message}`, { cause })
  }
}

/** Creates the file for its owner alone, or takes it away from others: it holds keys. */
function protect(path: string): void {
  const fd = openSync(path, 'a', 0o600)
  fchmodSync(fd, 0o600)
  closeSync(fd)
}

async function transaction<Result>(database: DatabaseSync, work: () => Result): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return attempt(database, work)
    } catch (error) {
      const { errcode } = error as { readonly errcode?: number }
      if (errcode !== SQLITE_BUSY || tries === BUSY.attempts) throw error
    }
    await pause(BUSY.pauseMs)
  }
}

function attempt<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    // A full disk can roll back by itself; a second ROLLBACK would then hide the cause.
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/** @returns what pins one and says the holder on record */
function pinning(database: DatabaseSync): (pin: Pin) => string {
  const insert = database.prepare('INSERT OR IGNORE INTO pin (key, holder, until) VALUES (?, ?, ?)')
  const select = database.prepare('SELECT holder FROM pin WHERE key = ?')
  return ({ key, holder, until }) => {
    const found = select.get(key)
    if (found !== undefined) return String(found['holder'])
    insert.run(key, holder, until)
    return holder
  }
}

function addKey(database: DatabaseSync, record: KeyRecord): boolean {
  const inserted = database
    .prepare(
      `INSERT OR IGNORE INTO signing_key
         (sequence, kid, created_at, signs_from, public_jwk, sealed_private) VALUES (?, ?, ?, ?, ?, ?)`,
    )
    .run(
      record.sequence,
      record.kid,
      record.createdAt,
      record.signsFrom,
      record.publicJwk,
      record.sealedPrivate,
    )
  return inserted.changes === 1
}

function keyRecord(row: Record<string, unknown>): KeyRecord {
  return {
    kid: String(row['kid']),
    sequence: Number(row['sequence']),
    createdAt: Number(row['created_at']),
    signsFrom: Number(row['signs_from']),
    publicJwk: String(row['public_jwk']),
    sealedPrivate: row['sealed_private'] as Uint8Array,
  }
}

async function prune(
  database: DatabaseSync,
  table: string,
  key: string,
  column: string,
  before: number,
): Promise<void> {
  const batch = database.prepare(
    `DELETE FROM ${table} WHERE ${key} IN
       (SELECT ${key} FROM ${table} WHERE ${column} < ? LIMIT ${PRUNE_BATCH})`,
  )
  // Requests are served between batches.
  while ((await transaction(database, () => batch.run(before))).changes === PRUNE_BATCH) {
    await immediate()
  }
}
