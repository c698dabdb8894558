/** Revocations in the embedded store. */

import type { DatabaseSync } from 'node:sqlite'
import { pageOf, revocationRecord } from './revocationrows.ts'
import {
  type Lifting,
  REVOCATION_PAGE,
  type Revocation,
  type RevocationRecord,
  type Store,
} from './store.ts'

/** The sequence stands by itself: rows are pruned, and it must not go back with them. */
export const REVOCATION_TABLES = `
  CREATE TABLE IF NOT EXISTS revocation (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    at INTEGER NOT NULL,
    until INTEGER,
    lifted_at INTEGER,
    by_whom TEXT NOT NULL,
    reason TEXT NOT NULL,
    sequence INTEGER NOT NULL UNIQUE
  );
  CREATE INDEX IF NOT EXISTS revocation_until ON revocation (until);
  CREATE TABLE IF NOT EXISTS revocation_sequence (
    the_only INTEGER PRIMARY KEY CHECK (the_only = 1),
    value INTEGER NOT NULL
  );
  INSERT OR IGNORE INTO revocation_sequence VALUES (1, 0);`

/** Runs one change in a transaction, durable, and tells of it; null is for no change. */
type Commit = <Changed>(work: () => Changed) => Promise<Changed>

/** The part of the store that is about revocations. */
export function revocationsIn(
  database: DatabaseSync,
  commit: Commit,
): Pick<Store, 'revoke' | 'lift' | 'listRevocations'> {
  // Ahead of the clock's milliseconds, so that a store that was put back in time does not count up to numbers that
  // somebody has already seen.
  const advance = database.prepare(
    'UPDATE revocation_sequence SET value = max(value + 1, ? * 1000) RETURNING value',
  )
  const latest = database.prepare('SELECT value FROM revocation_sequence')
  const insert = database.prepare(
    `INSERT INTO revocation (name, kind, target, at, until, lifted_at, by_whom, reason, sequence)
       VALUES (?, ?, ?, ?, ?, NULL, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET
       at = excluded.at, until = max(until, excluded.until), lifted_at = NULL,
       by_whom = excluded.by_whom, reason = excluded.reason, sequence = excluded.sequence
     RETURNING *`,
  )
  const select = database.prepare(
    'SELECT name FROM revocation WHERE name = ? AND (lifted_at IS NULL OR lifted_at = ?)',
  )
  const update = database.prepare(
    `UPDATE revocation SET lifted_at = ?, until = ?, by_whom = ?, reason = ?, sequence = ?
       WHERE name = ? RETURNING *`,
  )
  const page = database.prepare(
    `SELECT * FROM revocation WHERE sequence > ? ORDER BY sequence LIMIT ${REVOCATION_PAGE}`,
  )
  const next = (at: number) => Number(advance.get(Math.floor(at))?.['value'])

  function revoke({ name, kind, target, at, until, by, reason }: Revocation): RevocationRecord {
    const row = insert.get(name, kind, target, at, until, by, reason, next(at))
    return revocationRecord(row ?? {})
  }

  function lift({ name, at, until, by, reason }: Lifting): RevocationRecord | null {
    if (select.get(name, at) === undefined) return null
    const row = update.get(at, until, by, reason, next(at), name)
    return row === undefined ? null : revocationRecord(row)
  }

  return {
    revoke: (revocation) => commit(() => revoke(revocation)),
    lift: (lifting) => commit(() => lift(lifting)),
    async listRevocations(afterSequence) {
      // Before the rows: another process may add one in between, and it is then read again.
      const known = Number(latest.get()?.['value'])
      return pageOf(page.all(afterSequence).map(revocationRecord), known)
    },
  }
}
