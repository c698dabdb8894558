/** A copy of the store's revocations that is read on from where it was, a bounded piece at a time. */

import { setImmediate as immediate } from 'node:timers/promises'
import type { Revocation, RevocationRecord, Store } from './store/store.ts'
import { epochSeconds } from './units.ts'

/** Records looked at for their end in each read: the work of one read does not grow with what is in force. */
const SWEEP = 500

type Records = Map<string, RevocationRecord>

/** What is needed to read. */
export type ViewRoom = {
  readonly store: Pick<Store, 'listRevocations'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** A monotonic clock, milliseconds. */
  readonly stopwatch: () => number
}

/** The records of one store, and how far they were read. What they mean is said in `revocations.ts`. */
export function openView({ store, now, stopwatch }: ViewRoom) {
  let records: Records = new Map()
  let upTo = 0
  let readAt = Number.NEGATIVE_INFINITY
  let sweep = records.entries()
  const listeners: ((record: RevocationRecord) => void)[] = []

  async function read(): Promise<void> {
    const began = stopwatch()
    let into = records
    const news: RevocationRecord[] = []
    for (let from = upTo; ; await immediate()) {
      const page = await store.listRevocations(from)
      if (page.latest < from) {
        // The store was put back in time. What it says now replaces the view, but only as a whole.
        into = new Map()
        from = 0
        continue
      }
      for (const record of page.records) {
        keep(into, record)
        news.push(record)
      }
      from = page.upTo
      if (from < page.latest) continue
      if (into !== records) sweep = into.entries()
      records = into
      upTo = from
      readAt = began
      tellOf(news)
      return
    }
  }

  function tellOf(news: readonly RevocationRecord[]): void {
    for (const record of news) for (const listener of listeners) listener(record)
  }

  function forgetSome(): void {
    const seconds = epochSeconds(now())
    for (let looked = 0; looked < SWEEP; looked += 1) {
      const { done, value } = sweep.next()
      if (done === true) {
        sweep = records.entries()
        return
      }
      if (isOver(value[1], seconds)) records.delete(value[0])
    }
  }

  return {
    refresh: oneAtATime(async () => {
      await read()
      forgetSome()
    }),
    put: (record: RevocationRecord) => keep(records, record),
    revoked(names: Iterable<string>, issuedAt: number): Revocation | null {
      if (records.size === 0) return null
      for (const name of names) {
        const record = records.get(name)
        if (record !== undefined && stops(record, issuedAt)) return record
      }
      return null
    },
    standing: (seconds: number) => [...records.values()].filter((each) => !isOver(each, seconds)),
    inForce() {
      let count = 0
      for (const { liftedAt } of records.values()) if (liftedAt === null) count += 1
      return count
    },
    size: () => records.size,
    countBy(by: string, seconds: number) {
      let count = 0
      for (const each of records.values()) if (each.by === by && !isOver(each, seconds)) count += 1
      return count
    },
    sequence: () => upTo,
    onChange: (listener: (record: RevocationRecord) => void) => void listeners.push(listener),
    readAt: () => readAt,
  }
}

/** Who asks while a read is under way, which may have looked already, gets the one after it, with all who ask. */
function oneAtATime(read: () => Promise<void>): () => Promise<void> {
  let reading: Promise<void> | null = null
  let next: Promise<void> | null = null

  function start(): Promise<void> {
    reading = read().finally(() => {
      reading = null
    })
    return reading
  }

  return () => {
    if (reading === null) return start()
    next ??= reading
      .catch(() => undefined)
      .then(() => {
        next = null
        return reading ?? start()
      })
    return next
  }
}

/** An older answer must not take the place of a newer one. */
function keep(records: Records, record: RevocationRecord): void {
  const known = records.get(record.name)
  if (known === undefined || known.sequence <= record.sequence) records.set(record.name, record)
}

/**
 * In the second of the lifting nothing is issued yet, so that whatever bears that second is from before.
 * @param issuedAt epoch seconds
 */
function stops({ liftedAt }: Revocation, issuedAt: number): boolean {
  return liftedAt === null || issuedAt <= liftedAt
}

function isOver({ until }: Revocation, seconds: number): boolean {
  return until !== null && until < seconds
}
