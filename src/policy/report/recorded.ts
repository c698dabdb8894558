/** What a log holds, read back. A log may be older than this version, cut short, or not a log at all. */

import type { Question, Ruling } from '../question.ts'

/** One decision as it was recorded. */
export type Recorded = {
  readonly id: string
  /** ISO 8601, UTC. */
  readonly at: string
  /** Null when the request was refused before there was anything to decide. */
  readonly question: Question | null
  /** What was ruled then; null when nothing was. */
  readonly rulings: readonly Ruling[] | null
  /** The `@ttl` that counted then, seconds. */
  readonly ttl: number | null
}

/** Reads an AuditEvent, already parsed; null for anything else. */
export function readRecorded(value: unknown): Recorded | null {
  if (!isRecord(value) || typeof value['id'] !== 'string' || typeof value['at'] !== 'string')
    return null
  if (!('question' in value)) return null
  const { id, at, decision } = value
  const question = readQuestion(value['question'])
  if (question === null && value['question'] !== null) return null
  const rulings =
    isRecord(decision) && isList(decision['rulings'], isRuling) ? decision['rulings'] : null
  const ttl = isRecord(decision) && typeof decision['ttl'] === 'number' ? decision['ttl'] : null
  return { id, at, question, rulings: rulings as readonly Ruling[] | null, ttl }
}

/**
 * Reads a Question, already parsed; null for anything else. Checks the shape that code leans on; types of
 * single values are `decide`'s business, which fails what does not fit.
 */
export function readQuestion(value: unknown): Question | null {
  if (!isRecord(value) || value['version'] !== 1 || typeof value['at'] !== 'number') return null
  const { actor, user, audience, scopes, chain } = value
  if (typeof audience !== 'string' || !isList(scopes, isText) || !isList(chain, isText)) return null
  if (!isParty(actor) || (user !== undefined && user !== null && !isParty(user))) return null
  // Before places were looked up, nobody knew any; nor anybody whom an actor could act for.
  return { place: null, user: null, ...value } as unknown as Question
}

function isParty(value: unknown): boolean {
  if (!isRecord(value) || !isEntity(value['principal'])) return false
  const { ancestry, facts } = value
  return isList(ancestry, isEntity) && isRecord(facts) && Object.values(facts).every(isRecord)
}

function isRuling(value: unknown): boolean {
  return (
    isRecord(value) &&
    isText(value['action']) &&
    isText(value['result']) &&
    isList(value['policies'], isText)
  )
}

function isEntity(value: unknown): boolean {
  return isRecord(value) && isText(value['type']) && isText(value['id'])
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isList(value: unknown, holds: (item: unknown) => boolean): value is unknown[] {
  return Array.isArray(value) && value.every(holds)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
