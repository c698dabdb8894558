/**
 * Revocations in the shared store. Whoever changes one takes the next sequence first, by a row that stays locked
 * until the change is committed: so changes become visible in the order of their sequences, and a reader that
 * has seen one has seen all before it.
 */

import { pageOf, revocationRecord } from '../revocationrows.ts'
import { REVOCATION_PAGE, type Store } from '../store.ts'
import type { Connections } from './connections.ts'
import { CHANNEL } from './listener.ts'

const COLUMNS = 'name, kind, target, at, until, lifted_at, by_whom, reason, sequence'

// Ahead of the clock's milliseconds, so that a database that was put back in time does not count up to numbers that
// somebody has already seen. Run twice, it only takes another sequence.
const REVOKE = {
  name: 'countersign_revoke',
  text: `WITH next AS (
      UPDATE countersign_revocation_sequence SET value = greatest(value + 1, $4::bigint * 1000)
      RETURNING value
    ), revoked AS (
      INSERT INTO countersign_revocation AS held (${COLUMNS})
      SELECT $1::text, $2::text, $3::text, $4::bigint, $5::bigint, NULL, $6::text, $7::text, value FROM next
      ON CONFLICT (name) DO UPDATE SET
        at = excluded.at,
        until = CASE WHEN held.until IS NOT NULL AND excluded.until IS NOT NULL
          THEN greatest(held.until, excluded.until) END,
        lifted_at = NULL,
        by_whom = excluded.by_whom, reason = excluded.reason, sequence = excluded.sequence
      RETURNING held.*
    )
    SELECT ${COLUMNS}, pg_notify('${CHANNEL}', 'revocations') FROM revoked`,
}
// A lifting that is run a second time is known by its instant.
const LIFT = {
  name: 'countersign_lift',
  text: `WITH next AS (
      UPDATE countersign_revocation_sequence SET value = greatest(value + 1, $2::bigint * 1000)
      WHERE EXISTS (
        SELECT 1 FROM countersign_revocation
          WHERE name = $1 AND (lifted_at IS NULL OR lifted_at = $2::bigint)
      )
      RETURNING value
    ), lifted AS (
      UPDATE countersign_revocation AS held
      SET lifted_at = $2::bigint, until = $3::bigint, by_whom = $4, reason = $5, sequence = next.value
      FROM next
      WHERE name = $1 AND (lifted_at IS NULL OR lifted_at = $2::bigint)
      RETURNING held.*
    )
    SELECT ${COLUMNS}, pg_notify('${CHANNEL}', 'revocations') FROM lifted`,
}
// One statement, so one look: rows and the highest sequence belong together. Outer, for when there are no rows.
const LIST = {
  name: 'countersign_list_revocations',
  text: `SELECT latest.value AS latest, changed.*
    FROM countersign_revocation_sequence AS latest LEFT JOIN LATERAL (
      SELECT ${COLUMNS} FROM countersign_revocation
        WHERE sequence > $1 ORDER BY sequence LIMIT ${REVOCATION_PAGE}
    ) AS changed ON true
    ORDER BY changed.sequence`,
}

/** The part of the store that is about revocations. */
export function revocationsIn(
  wires: Connections,
): Pick<Store, 'revoke' | 'lift' | 'listRevocations'> {
  return {
    async revoke({ name, kind, target, at, until, by, reason }) {
      const end = until === null ? null : Math.ceil(until)
      const values = [name, kind, target, Math.floor(at), end, by, reason]
      const [row] = await wires.run('durable', REVOKE, values)
      if (row === undefined) throw new Error('PostgreSQL has lost countersign_revocation_sequence')
      return revocationRecord(row)
    },
    async lift({ name, at, until, by, reason }) {
      const values = [name, Math.floor(at), Math.ceil(until), by, reason]
      const [row] = await wires.run('durable', LIFT, values)
      return row === undefined ? null : revocationRecord(row)
    },
    async listRevocations(afterSequence) {
      const rows = await wires.run('journal', LIST, [afterSequence])
      const latest = Number(rows[0]?.['latest'] ?? 0)
      return pageOf(rows.filter((row) => row['name'] !== null).map(revocationRecord), latest)
    },
  }
}
