/**
 * The tables, made and changed step by step. An old and a new replica live side by side while an upgrade rolls: a
 * step that old code can live with (a new table, a column with a default) keeps `oldestReader`; one that takes
 * something away raises it, and comes a release after the last code that needed it.
 */

import type pg from 'pg'

/** One step. Never changed once released. */
export type Migration = {
  /** 1, 2, 3, … */
  readonly version: number
  /** The oldest version whose code can use the tables after this step. */
  readonly oldestReader: number
  readonly sql: string
}

/** All steps, in order. */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    oldestReader: 1,
    sql: `
      CREATE TABLE countersign_spent (
        key text COLLATE "C" PRIMARY KEY,
        until bigint NOT NULL,
        claim uuid NOT NULL
      );
      CREATE INDEX countersign_spent_until ON countersign_spent (until);
      CREATE TABLE countersign_signing_key (
        sequence integer PRIMARY KEY,
        kid text NOT NULL UNIQUE,
        created_at bigint NOT NULL,
        signs_from bigint NOT NULL,
        public_jwk text NOT NULL,
        sealed_private bytea NOT NULL
      );
      CREATE TABLE countersign_decision (
        id text COLLATE "C" PRIMARY KEY,
        at bigint NOT NULL,
        event text NOT NULL
      );
      CREATE INDEX countersign_decision_at ON countersign_decision (at);`,
  },
  {
    version: 2,
    oldestReader: 1,
    sql: `
      CREATE TABLE countersign_pin (
        key text COLLATE "C" PRIMARY KEY,
        holder text NOT NULL,
        until bigint NOT NULL
      );
      CREATE INDEX countersign_pin_until ON countersign_pin (until);
      CREATE TABLE countersign_revocation (
        name text COLLATE "C" PRIMARY KEY,
        kind text NOT NULL,
        target text NOT NULL,
        at bigint NOT NULL,
        until bigint,
        lifted_at bigint,
        by_whom text NOT NULL,
        reason text NOT NULL,
        sequence bigint NOT NULL UNIQUE
      );
      CREATE INDEX countersign_revocation_until ON countersign_revocation (until);
      CREATE TABLE countersign_revocation_sequence (
        the_only integer PRIMARY KEY CHECK (the_only = 1),
        value bigint NOT NULL
      );
      INSERT INTO countersign_revocation_sequence VALUES (1, 0);`,
  },
]

const STEPS_TABLE = `
  CREATE TABLE IF NOT EXISTS countersign_schema (
    version integer PRIMARY KEY,
    oldest_reader integer NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`

/**
 * Brings the tables up to the last of `migrations`, in one transaction. Replicas that start at once take turns.
 * Tables that are up to date are only read, so that a role without the right to change them can serve.
 *
 * @param client connected; a wait for another replica may take as long as its limits allow
 * @throws Error when the tables are from a version that this code must not work with
 */
export async function migrate(
  client: pg.Client,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  const ours = migrations.at(-1)?.version ?? 0
  const found = await client.query<{ known: boolean }>(
    `SELECT to_regclass('countersign_schema') IS NOT NULL AS known`,
  )
  if (found.rows[0]?.known === true && (await versionOf(client, ours)) >= ours) return
  await client.query('BEGIN')
  try {
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('countersign_schema'))`)
    await client.query(STEPS_TABLE)
    // Another replica may have been here while this one waited.
    const reached = await versionOf(client, ours)
    for (const { version, oldestReader, sql } of migrations) {
      if (version <= reached) continue
      await client.query(sql)
      await client.query(
        'INSERT INTO countersign_schema (version, oldest_reader) VALUES ($1, $2)',
        [version, oldestReader],
      )
    }
    await client.query('COMMIT')
  } catch (error) {
    // What failed is told, not that nothing can be taken back on a broken connection.
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

/** The version of the tables. @throws Error when code of version `ours` must not use them */
async function versionOf(client: pg.Client, ours: number): Promise<number> {
  const { rows } = await client.query<{ version: number; oldest: number }>(
    `SELECT coalesce(max(version), 0) AS version, coalesce(max(oldest_reader), 0) AS oldest
       FROM countersign_schema`,
  )
  const { version, oldest } = rows[0] ?? { version: 0, oldest: 0 }
  if (ours >= oldest) return version
  throw new Error(
    `the tables are of version ${version} and need a Countersign that knows version ${oldest}; this one knows ${ours}`,
  )
}
