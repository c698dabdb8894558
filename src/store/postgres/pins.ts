/** Pins in the shared store. Nearly every call finds its evidence pinned, and then writes nothing. */

import type { Connections } from './connections.ts'

/** Evidence and its holder; `until` in epoch seconds. */
export type Pin = { readonly key: string; readonly holder: string; readonly until: number }

// A key that another replica adds at this moment is neither found nor added: it is there for the next run.
const PIN = {
  name: 'countersign_pin',
  text: `WITH found AS (
      SELECT key, holder FROM countersign_pin WHERE key = ANY ($1::text[])
    ), added AS (
      INSERT INTO countersign_pin (key, holder, until)
      SELECT key, holder, until FROM unnest($1::text[], $2::text[], $3::bigint[]) AS asked (key, holder, until)
        WHERE key NOT IN (SELECT key FROM found)
      ON CONFLICT (key) DO NOTHING RETURNING key, holder
    )
    SELECT key, holder FROM found UNION ALL SELECT key, holder FROM added`,
}

/** A key can be met half-way by one other replica, and be pruned and made again; no more often than this. */
const MAX_RUNS = 4

/** @returns the holder on record of each, in order */
export async function pinAll(wires: Connections, pins: readonly Pin[]): Promise<readonly string[]> {
  const firsts = new Map<string, Pin>()
  for (const pin of pins) if (!firsts.has(pin.key)) firsts.set(pin.key, pin)
  // In one order for all replicas: statements that share keys could else wait for each other.
  let asked = [...firsts.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
  const holders = new Map<string, string>()
  for (let run = 1; asked.length > 0; run += 1) {
    if (run > MAX_RUNS) throw new Error('PostgreSQL neither keeps nor shows a pin')
    const rows = await wires.run('durable', PIN, [
      asked.map(({ key }) => key),
      asked.map(({ holder }) => holder),
      asked.map(({ until }) => Math.ceil(until)),
    ])
    for (const row of rows) holders.set(String(row['key']), String(row['holder']))
    asked = asked.filter(({ key }) => !holders.has(key))
  }
  return pins.map(({ key }) => holders.get(key) ?? '')
}
