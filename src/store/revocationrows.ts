/** How revocations are read out of the rows of either store. */

import {
  REVOCATION_PAGE,
  type RevocationKind,
  type RevocationPage,
  type RevocationRecord,
} from './store.ts'

/**
 * What a reader may take for read.
 * @param latest the highest sequence when, or before, the rows were read
 */
export function pageOf(records: readonly RevocationRecord[], latest: number): RevocationPage {
  const last = records.at(-1)
  const upTo =
    last !== undefined && records.length === REVOCATION_PAGE
      ? last.sequence
      : Math.max(last?.sequence ?? 0, latest)
  return { records, upTo, latest: Math.max(upTo, latest) }
}

/** A row of either store. */
export function revocationRecord(row: Readonly<Record<string, unknown>>): RevocationRecord {
  const instant = (column: string) => (row[column] === null ? null : Number(row[column]))
  return {
    kind: row['kind'] as RevocationKind,
    name: String(row['name']),
    target: String(row['target']),
    at: Number(row['at']),
    until: instant('until'),
    liftedAt: instant('lifted_at'),
    by: String(row['by_whom']),
    reason: String(row['reason']),
    sequence: Number(row['sequence']),
  }
}
