/** One request to look at: out of a file, or by its decision id from the broker or what it left behind. */

import { existsSync, readFileSync } from 'node:fs'
import type { AuditEvent } from '../../audit.ts'
import type { Config } from '../../config.ts'
import type { ExplainedDecision } from '../../explained.ts'
import { createDoor, DoorError } from '../../net/fetch.ts'
import { openStore } from '../../opening.ts'
import type { Question, Ruling } from '../../policy/question.ts'
import { readQuestion, readRecorded } from '../../policy/report/recorded.ts'
import { batches } from './lines.ts'
import { nearby } from './sources.ts'

/** One request. */
export type Case = {
  readonly question: Question
  /** The event that recorded it; null when a file holds a bare Question. */
  readonly event: Pick<
    AuditEvent,
    'id' | 'at' | 'outcome' | 'reason' | 'detail' | 'decision'
  > | null
  readonly rulings: readonly Ruling[] | null
}

/** Reads an AuditEvent, what `GET /decisions/{id}` answers, or a Question; `-` is standard input. @throws Error */
export function readCase(file: string): Case {
  const text = readFileSync(file === '-' ? 0 : file, 'utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const several = text.trim().includes('\n{')
    const hint = several ? ': it holds several lines; name one decision by its id' : ''
    throw new Error(`${file} is not one JSON document${hint}`, { cause })
  }
  const question = readQuestion(value)
  if (question !== null) return { question, event: null, rulings: null }
  const inner =
    typeof value === 'object' && value !== null && 'event' in value ? value.event : value
  return caseOf(inner, file)
}

/** The request of an event. @throws Error where it has none */
export function caseOf(event: unknown, source: string): Case {
  const recorded = readRecorded(event)
  if (recorded === null) throw new Error(`${source} is neither an audit event nor a Question`)
  const known = event as AuditEvent
  if (recorded.question === null) {
    throw new Error(
      `decision ${recorded.id} was refused (${known.reason}) before there was anything to decide: ${JSON.stringify(known.detail)}`,
    )
  }
  return { question: recorded.question, event: known, rulings: recorded.rulings }
}

/** What is known of a decision. */
export type Found =
  | { readonly from: string; readonly told: ExplainedDecision }
  | { readonly from: string; readonly event: unknown }

/**
 * Looks a decision up: the running broker first, then its database, then its audit file.
 *
 * @throws Error saying where was looked
 */
export async function findDecision(config: Config, id: string): Promise<Found> {
  const looked: string[] = []
  const origin = adminOrigin(config)
  try {
    return { from: origin, told: await askBroker(origin, id) }
  } catch (error) {
    if (!(error instanceof DoorError)) throw error
    looked.push(`${origin} (${error.message})`)
  }
  const from = storeName(config)
  const kept = await fromStore(config, id)
  if (kept !== null) return { from, event: JSON.parse(kept) }
  looked.push(from)
  const { file } = config.audit
  if (file !== null && existsSync(file)) {
    const event = await fromLog(file, id)
    if (event !== null) return { from: nearby(file), event }
    looked.push(nearby(file))
  }
  throw new Error(`no decision ${id}; looked in ${looked.join(', ')}`)
}

/**
 * Asks a running broker.
 *
 * @param origin of its admin listener
 * @throws DoorError when it does not answer, or does not know the decision
 */
export async function askBroker(origin: string, id: string): Promise<ExplainedDecision> {
  const request = {
    url: `${origin}/decisions/${id}`,
    allow: [origin],
    allowPrivate: true,
    json: true,
  }
  const { body } = await createDoor()(request)
  return JSON.parse(body) as ExplainedDecision
}

/** Where the admin listener of a configuration is, for whoever is on the same host. */
export function adminOrigin({ admin: { host, port, tls } }: Config): string {
  return `${tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** The store as the operator knows it. */
function storeName({ store }: Config): string {
  if ('sqlite' in store) return nearby(store.sqlite)
  const { host, port, database } = store.postgres
  return `database ${database} at ${host}:${port}`
}

async function fromStore(config: Config, id: string): Promise<string | null> {
  // Opening would make one.
  if ('sqlite' in config.store && !existsSync(config.store.sqlite)) return null
  const store = await openStore(config)
  try {
    return await store.findDecision(id, 0)
  } finally {
    await store.close()
  }
}

async function fromLog(file: string, id: string): Promise<unknown> {
  for await (const lines of batches(file)) {
    for (const { text } of lines) {
      if (text?.includes(id) !== true) continue
      const event = parsed(text)
      if (typeof event === 'object' && event !== null && 'id' in event && event.id === id)
        return event
    }
  }
  return null
}

/** A line as JSON; undefined when it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
