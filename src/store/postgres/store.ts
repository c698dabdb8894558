/**
 * The shared store: PostgreSQL, for any number of replicas. All calls of one event-loop turn are one statement, so
 * one round trip and one commit. Statements may run twice: after a broken connection nobody knows whether the first
 * run was committed.
 */

import { randomUUID } from 'node:crypto'
import { systemTimers, type Timers } from '../../net/timers.ts'
import { changes } from '../changes.ts'
import type { KeyRecord, Store, StoredDecision } from '../store.ts'
import { grouped } from '../turn.ts'
import { type Connections, connections, type PostgresOptions, type Row } from './connections.ts'
import { CHANNEL, listen } from './listener.ts'
import { MIGRATIONS, type Migration, migrate } from './migrations.ts'
import { type Pin, pinAll } from './pins.ts'
import { revocationsIn } from './revocations.ts'

/** Rows dropped at a time, so that no statement takes long. */
const PRUNE_BATCH = 2_000

/** Long enough to wait for another replica that changes the tables. */
const MIGRATION_LIMITS = { statementMs: 60_000, answerMs: 65_000 }

// The first claim on a key wins. A claim is known again when its statement is run a second time.
const SPEND = {
  name: 'countersign_spend',
  text: `INSERT INTO countersign_spent AS held (key, until, claim)
    SELECT key, until, $3::uuid FROM unnest($1::text[], $2::bigint[]) AS asked (key, until)
    ON CONFLICT (key) DO UPDATE SET claim = held.claim WHERE held.claim = excluded.claim
    RETURNING key`,
}
const UNSPEND = {
  name: 'countersign_unspend',
  text: 'DELETE FROM countersign_spent WHERE key = $1',
}
const KEEP_DECISION = {
  name: 'countersign_keep_decision',
  text: `INSERT INTO countersign_decision (id, at, event)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])
    ON CONFLICT (id) DO UPDATE SET at = excluded.at, event = excluded.event`,
}
const FIND_DECISION = {
  name: 'countersign_find_decision',
  text: 'SELECT event FROM countersign_decision WHERE id = $1 AND at >= $2',
}
// Columns are named: a newer replica may add some, and a prepared `*` would then fail.
const LIST_KEYS = {
  name: 'countersign_list_keys',
  text: `SELECT sequence, kid, created_at, signs_from, public_jwk, sealed_private
    FROM countersign_signing_key ORDER BY sequence`,
}
const ADD_KEY = {
  name: 'countersign_add_key',
  text: `WITH added AS (
      INSERT INTO countersign_signing_key
        (sequence, kid, created_at, signs_from, public_jwk, sealed_private)
      VALUES ($1, $2, $3, $4, $5, $6)
      ON CONFLICT DO NOTHING RETURNING sequence
    )
    SELECT sequence, pg_notify('${CHANNEL}', 'signing_keys') FROM added`,
}
// Rows that another replica drops at this moment are skipped: two that prune at once would wait for each other.
const PRUNE_SPENT = pruning('countersign_spent', 'key', 'until')
const PRUNE_PINS = pruning('countersign_pin', 'key', 'until')
const PRUNE_REVOCATIONS = pruning('countersign_revocation', 'name', 'until')
const PRUNE_DECISIONS = pruning('countersign_decision', 'id', 'at')

/** What a test may change. */
export type PostgresWorld = { readonly timers?: Timers; readonly migrations?: readonly Migration[] }

/**
 * Opens the store, and makes or upgrades its tables.
 *
 * @throws Error with a sentence for the operator when the database does not answer, or is from a version that this
 *   code must not work with. It never holds the password.
 */
export async function openPostgres(
  options: PostgresOptions,
  { timers = systemTimers, migrations = MIGRATIONS }: PostgresWorld = {},
): Promise<Store> {
  const wires = connections(options, timers)
  try {
    await prepareTables(wires, migrations)
  } catch (error) {
    await wires.close()
    throw new Error(`cannot use the store: ${wires.told(error).message}`)
  }
  const { onChange, tell } = changes()
  const endListening = listen({ client: wires.client, timers, tell })
  const spend = grouped((spends: readonly Spend[]) => spendAll(wires, spends))
  const pin = grouped((pins: readonly Pin[]) => pinAll(wires, pins))
  const keepDecision = grouped((decisions: readonly StoredDecision[]) => keepAll(wires, decisions))

  return {
    onChange,
    spend: (key, until) => spend({ key, until }),
    pin: (key, holder, until) => pin({ key, holder, until }),
    keepDecision,
    ...revocationsIn(wires),
    async unspend(key) {
      await wires.run('durable', UNSPEND, [key])
    },
    async findDecision(id, notBefore) {
      const [row] = await wires.run('journal', FIND_DECISION, [id, notBefore])
      return row === undefined ? null : String(row['event'])
    },
    async listKeys() {
      return (await wires.run('journal', LIST_KEYS, [])).map(keyRecord)
    },
    async addKey({ sequence, kid, createdAt, signsFrom, publicJwk, sealedPrivate }) {
      const values = [sequence, kid, createdAt, signsFrom, publicJwk, Buffer.from(sealedPrivate)]
      return (await wires.run('durable', ADD_KEY, values)).length === 1
    },
    async prune(now, decisionsBefore) {
      for (const [statement, before] of [
        [PRUNE_SPENT, now],
        [PRUNE_PINS, now],
        [PRUNE_REVOCATIONS, now],
        [PRUNE_DECISIONS, decisionsBefore],
      ] as const) {
        while ((await wires.run('journal', statement, [before])).length === PRUNE_BATCH);
      }
    },
    async close() {
      endListening()
      await wires.close()
    },
  }
}

async function prepareTables(wires: Connections, migrations: readonly Migration[]): Promise<void> {
  const client = wires.client(MIGRATION_LIMITS)
  await client.connect()
  try {
    await migrate(client, migrations)
  } finally {
    await client.end()
  }
}

type Spend = { readonly key: string; readonly until: number }

/** Spends in the order of keys: statements of several replicas that share some could else wait for each other. */
async function spendAll(wires: Connections, spends: readonly Spend[]): Promise<readonly boolean[]> {
  const firsts = new Map<string, Spend>()
  for (const spend of spends) if (!firsts.has(spend.key)) firsts.set(spend.key, spend)
  const sorted = inOrder(firsts)
  const rows = await wires.run('durable', SPEND, [
    sorted.map(({ key }) => key),
    sorted.map(({ until }) => Math.ceil(until)),
    randomUUID(),
  ])
  const won = new Set(rows.map((row) => row['key']))
  return spends.map((spend) => firsts.get(spend.key) === spend && won.has(spend.key))
}

async function keepAll(
  wires: Connections,
  decisions: readonly StoredDecision[],
): Promise<readonly undefined[]> {
  const sorted = inOrder(new Map(decisions.map((decision) => [decision.id, decision])))
  await wires.run('journal', KEEP_DECISION, [
    sorted.map(({ id }) => id),
    sorted.map(({ at }) => at),
    sorted.map(({ event }) => event),
  ])
  return decisions.map(() => undefined)
}

function inOrder<Item>(byKey: ReadonlyMap<string, Item>): readonly Item[] {
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item)
}

function pruning(table: string, key: string, column: string) {
  return {
    name: `${table}_prune`,
    text: `DELETE FROM ${table} WHERE ${key} IN (
        SELECT ${key} FROM ${table} WHERE ${column} < $1 LIMIT ${PRUNE_BATCH} FOR UPDATE SKIP LOCKED
      ) RETURNING ${key}`,
  }
}

function keyRecord(row: Row): KeyRecord {
  return {
    kid: String(row['kid']),
    sequence: Number(row['sequence']),
    createdAt: Number(row['created_at']),
    signsFrom: Number(row['signs_from']),
    publicJwk: String(row['public_jwk']),
    sealedPrivate: row['sealed_private'] as Uint8Array,
  }
}
