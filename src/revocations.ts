/**
 * What was taken back, in memory: every replica's view of the store's revocations. Issuing, introspection and the
 * signed feed ask here and wait for nothing. The view is read on as soon as the store tells of a change, and twice
 * a second whether it does or not; a replica that has not read it for 30 s answers nothing that depends on it.
 */

import type { Timers } from './net/timers.ts'
import { type Detail, Refusal } from './refusal.ts'
import { openView } from './revocationview.ts'
import type { Lifting, Revocation, RevocationRecord, Store } from './store/store.ts'

/**
 * How often the store is read without being told to. A revocation has to be seen everywhere within a second, also
 * where its notification was lost, or where the writer is another process beside an embedded store. One indexed
 * look that finds nothing costs a database about 0.1 ms.
 */
const POLL_MS = 500

/** A view that was last read longer ago is no answer. */
const STALE_MS = 30_000

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
  /** Records that are held: those in force, the lifted, and a few that are over. */
  size(): number
  /** Those by somebody that are not over at an instant. It looks at all of them. */
  countBy(by: string, nowSeconds: number): number
  /** The highest sequence that was read. It goes back only with the store. */
  sequence(): number
  status(): RevocationStatus
  /** Has a listener told of everything that is read from now on, until the view is closed. */
  onChange(listener: (record: RevocationRecord) => void): void
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
    size: view.size,
    countBy: view.countBy,
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
    onChange: view.onChange,
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

/** Every revocation of a store, page by page: for who looks once. */
export async function* everyRevocation(
  store: Pick<Store, 'listRevocations'>,
): AsyncIterable<RevocationRecord> {
  for (let from = 0; ; ) {
    const { records, upTo, latest } = await store.listRevocations(from)
    yield* records
    if (upTo >= latest) return
    from = upTo
  }
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
