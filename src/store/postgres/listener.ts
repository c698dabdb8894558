/**
 * Hearing of what other replicas change: LISTEN on a connection of its own. A lost connection is made again, and
 * then everything is told, for nobody knows what was missed.
 */

import type pg from 'pg'
import type { Timers } from '../../net/timers.ts'
import { TOPICS } from '../changes.ts'
import type { Topic } from '../store.ts'

/** The channel that `pg_notify` names. */
export const CHANNEL = 'countersign'

/** How often the connection is asked whether it still lives: a firewall may have dropped it in silence. */
const BEAT_MS = 15_000
const BACKOFF_MS = { first: 250, most: 10_000 }

/** What a listener needs. */
export type ListenerRoom = {
  /** A new connection, not yet made. */
  readonly client: () => pg.Client
  readonly timers: Timers
  readonly tell: (topic: Topic) => void
}

/** Starts listening, and goes on until it is closed. @returns what closes it */
export function listen({ client, timers, tell }: ListenerRoom): () => void {
  let current: pg.Client | null = null
  let failures = 0
  let cancel = () => {}

  async function open(): Promise<void> {
    const opened = client()
    current = opened
    opened.on('notification', ({ payload }) => {
      const topic = TOPICS.find((known) => known === payload)
      if (topic !== undefined) tell(topic)
    })
    opened.on('error', () => lost(opened))
    try {
      await opened.connect()
      await opened.query(`LISTEN ${CHANNEL}`)
    } catch {
      lost(opened)
      return
    }
    if (current !== opened) return
    failures = 0
    for (const topic of TOPICS) tell(topic)
    beatLater(opened)
  }

  function beatLater(opened: pg.Client): void {
    cancel = timers.after(BEAT_MS, () => {
      opened.query('SELECT 1').then(
        () => current === opened && beatLater(opened),
        () => lost(opened),
      )
    })
  }

  function lost(opened: pg.Client): void {
    if (current !== opened) return
    current = null
    cancel()
    end(opened)
    const delay = Math.min(BACKOFF_MS.first * 2 ** failures, BACKOFF_MS.most)
    failures += 1
    // Spread, so that replicas do not all come back in one moment.
    cancel = timers.after(delay * (0.5 + timers.random() / 2), () => void open())
  }

  void open()
  return () => {
    cancel()
    const opened = current
    current = null
    if (opened !== null) end(opened)
  }
}

function end(client: pg.Client): void {
  // It may be broken already, which is why it ends.
  client.end().catch(() => undefined)
}
