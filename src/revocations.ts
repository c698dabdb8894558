/**
 * What was taken back, in memory: every replica's view of the store's revocations. Issuing, introspection and the
 * signed feed ask here and wait for nothing. The view is read on as soon as the store tells of a change, and twice
 * a second whether it does or not; a replica that has not read it for 30 s answers nothing that depends on it.
 */

import { setImmediate as immediate } from 'node:timers/promises'
import type { Timers } from './net/timers.ts'
import { type Detail, Refusal } from './refusal.ts'
import type { Lifting, Revocation, RevocationRecord, Store } from './store/store.ts'
import { epochSeconds } from './units.ts'

/**
 * How often the store is read without being told to. A revocation has to be seen everywhere within a second, also
 * where its notification was lost, or where the writer is another process beside an embedded store. One indexed
 * look that finds nothing costs a database about 0.1 ms.
 */
const POLL_MS = 500

/** A view that was last read longer ago is no answer. */
const STALE_MS = 30_000

/** Records looked at for their end in each read: the work of one read does not grow with what is in force. */
const SWEEP = 500

/** A failure that goes on is reported no more often than this. */
const WARN_EVERY_MS = 60_000

/** How the view is, for metrics. */
export type RevocationStatus = {
  /** Names that are out of use now. */
  readonly inForce: number
  /** Seconds since the store was last read. */
  readonly ageSeconds: number
}

/** What was taken back, as last read. */
export type Revocations = {
  /**
   * What stops something: a name of it is out of use; or was, and it is from before the lifting.
   * @param names see `lineage.ts`; they are only looked at when anything is revoked
   * @param issuedAt epoch seconds; the present for what is about to be issued
   */
  revoked(names: Iterable<string>, issuedAt: number): Revocation | null
  /** @throws Refusal `revocations_stale` when the view is older than 30 s: then nobody can say what is revoked */
  insist(): void
  /** Reads what has changed. Resolves when everything that was committed before the call is in the view. */
  refresh(): Promise<void>
  /** As `Store.revoke`; this replica's view has it when it resolves. */
  revoke(revocation: Revocation): Promise<RevocationRecord>
  /** As `Store.lift`. */
  lift(lifting: Lifting): Promise<RevocationRecord | null>
  /** Everything that may still stop something at an instant, in no particular order. */
  standing(nowSeconds: number): readonly RevocationRecord[]
  /** The highest sequence that was read. It goes back only with the store. */
  sequence(): number
  status(): RevocationStatus
  close(): void
}

/** What the view needs. */
export type RevocationsRoom = {
  readonly store: Pick<Store, 'revoke' | 'lift' | 'listRevocations' | 'onChange'>
  readonly timers: Timers
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** A monotonic clock, milliseconds: a wall clock that is set must not make an old view young. */
  readonly stopwatch: () => number
  /** A sentence for the operator, with data. */
  readonly warn: (detail: Detail, sentence: string) => void
}

/** Reads every revocation, and keeps reading. @throws Error when the store cannot be read now */
export async function openRevocations(room: RevocationsRoom): Promise<Revocations> {
  const { store, stopwatch } = room
  const view = openView(room)
  await view.refresh()
  const endFollowing = follow(room, view.refresh)

  async function changed<Record extends RevocationRecord | null>(
    change: Promise<Record>,
  ): Promise<Record> {
    const record = await change
    if (record !== null) view.put(record)
    return record
  }

  return {
    revoked: view.revoked,
    refresh: view.refresh,
    standing: view.standing,
    sequence: view.sequence,
    insist() {
      const age = stopwatch() - view.readAt()
      if (age > STALE_MS) throw new Refusal('revocations_stale', { ageSeconds: age / 1000 })
    },
    revoke: (revocation) => changed(store.revoke(revocation)),
    lift: (lifting) => changed(store.lift(lifting)),
    status: () => ({
      inForce: view.inForce(),
      ageSeconds: (stopwatch() - view.readAt()) / 1000,
    }),
    close: endFollowing,
  }
}

/**
 * Lets pass what was not taken back.
 * @throws Refusal `revoked`, or `revocations_stale` when nobody can say
 */
export function admit(
  revocations: Pick<Revocations, 'revoked' | 'insist'>,
  names: Iterable<string>,
  issuedAt: number,
): void {
  revocations.insist()
  const revoked = revocations.revoked(names, issuedAt)
  if (revoked === null) return
  const { kind, target, at, liftedAt, by, reason } = revoked
  throw new Refusal('revoked', { kind, target, at, liftedAt, by, reason })
}

type Records = Map<string, RevocationRecord>

/** The records of one store, and how far they were read. */
function openView({ store, now, stopwatch }: RevocationsRoom) {
  let records: Records = new Map()
  let upTo = 0
  let readAt = Number.NEGATIVE_INFINITY
  let sweep = records.entries()

  async function read(): Promise<void> {
    const began = stopwatch()
    let into = records
    for (let from = upTo; ; await immediate()) {
      const page = await store.listRevocations(from)
      if (page.latest < from) {
        // The store was put back in time. What it says now replaces the view, but only as a whole.
        into = new Map()
        from = 0
        continue
      }
      for (const record of page.records) keep(into, record)
      from = page.upTo
      if (from < page.latest) continue
      if (into !== records) sweep = into.entries()
      records = into
      upTo = from
      readAt = began
      return
    }
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
    sequence: () => upTo,
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

/** Reads when the store tells of a change, and now and then. @returns what ends it */
function follow(
  { store, timers, now, warn }: RevocationsRoom,
  refresh: () => Promise<void>,
): () => void {
  let warnedAt = Number.NEGATIVE_INFINITY
  let closed = false
  let cancel = () => {}

  async function look(): Promise<void> {
    try {
      await refresh()
    } catch (error) {
      if (closed || now() - warnedAt < WARN_EVERY_MS) return
      warnedAt = now()
      const problem = (error as Error).message
      warn({ problem }, 'revocations cannot be read; after 30 s nothing is issued')
    }
  }

  function lookLater(): void {
    cancel = timers.after(POLL_MS, () => {
      void look().then(() => {
        if (!closed) lookLater()
      })
    })
  }

  lookLater()
  const endListening = store.onChange((topic) => {
    if (topic === 'revocations') void look()
  })
  return () => {
    closed = true
    cancel()
    endListening()
  }
}
