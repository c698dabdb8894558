/**
 * One AuditEvent for each request that reaches `exchange`: the whole Question, what was decided by which
 * policies, and the outcome. It can be decided again under any Generation. It never holds a token.
 */

import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import type { Carrier } from './identity.ts'
import type { Decision, Question } from './policy/question.ts'
import { redact } from './redact.ts'
import { type Detail, type Reason, Refusal } from './refusal.ts'
import type { Store } from './store/store.ts'
import { grouped } from './store/turn.ts'
import { epochSeconds } from './units.ts'

/** What was shown. `claimed…` is what unverified evidence said about itself; believe it only if issued. */
export type AuditEvidence = {
  readonly carrier: Carrier
  /** What the caller says it is, where that is no JWT. */
  readonly format?: string
  /** SHA-256, base64url: of a JWT's header.payload, null when it could not be parsed; else of the whole credential. */
  readonly digest: string | null
  readonly claimedIssuer: string | null
  readonly claimedSubject: string | null
}

/** Where the caller comes from, and how a revocation calls it. */
export type AuditOrigin = {
  /** Names of the evidence: hashes, as tokens hold them. */
  readonly evidence: readonly string[]
  /** The trust entry, pod, node, …, in words: tokens hold the hashes of them. */
  readonly lineage: readonly string[]
  /** Of a subject token: its own name, and those of all that it came of, as hashes. Absent without one. */
  readonly authority?: readonly string[]
  /** When the evidence ends, epoch seconds. */
  readonly expiresAt: number
}

/** The token that was issued, by hash: the audit can prove which token it was and cannot leak it. */
export type AuditToken = {
  readonly sha256: string
  readonly kid: string
  readonly scope: string
  /** The workload that may act by it (RFC 8693 §4.4); absent for nobody. */
  readonly mayAct?: string
  /** Epoch seconds. */
  readonly expiresAt: number
}

/** One line of the audit log. */
export type AuditEvent = {
  readonly version: 1
  /** The decision id: `X-Request-Id` of the answer and `jti` of the token. */
  readonly id: string
  /** ISO 8601, UTC. */
  readonly at: string
  readonly outcome: 'issued' | 'refused' | 'failed'
  readonly reason: Reason | 'internal_error' | null
  readonly detail: Detail
  readonly grantType: string
  /** The actor that the request names for a person to agree to, as sent. Left out: none. */
  readonly requestedActor?: string
  readonly evidence: readonly AuditEvidence[]
  /** What `countersign revoke --evidence` can name of it, once it was proved. */
  readonly origin?: AuditOrigin
  /** Absent facts stay absent; null when the request was refused before the Question was complete. */
  readonly question: Question | null
  readonly decision: Decision | null
  readonly token: AuditToken | null
}

/** Where audit lines go. `write` resolves when the line has left the process, newline included. */
export type AuditSink = {
  write(line: string): Promise<void>
  close(): void
}

/** Writes and finds events. */
export interface Audit {
  /** @throws Refusal `audit_unavailable`: no token leaves without its event. */
  record(event: AuditEvent): Promise<void>
  /**
   * The event by decision id, for as long as the retention keeps it; null when unknown.
   * @throws Refusal `store_unavailable`
   */
  find(id: string): Promise<AuditEvent | null>
  /** Whether the last event was written, or enough time has passed to hope again. */
  working(): boolean
  /** Events since the start that were written, and that the store could not keep. */
  unkept(): number
}

/** What an audit is made of. */
export type AuditOptions = {
  readonly sink: AuditSink
  /** Keeps events for `GET /decisions/{id}`. */
  readonly store: Store
  readonly retentionSeconds: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** A sentence for the operator, with data. */
  readonly warn: (detail: Detail, sentence: string) => void
}

/** After a failed write the broker says for so long that it is not ready; then a request may try again. */
const FAILING_MS = 10_000

/** While the store keeps nothing, the log says so no more often than this. */
const WARN_EVERY_MS = 60_000

/** Events that may be on their way into the store at one time. */
const MAX_KEEPING = 10_000

/**
 * The audit log is the record: without its line no token leaves. The store keeps what it says for a while, where it
 * can be found by id; that is a convenience: nobody waits for it, and its loss refuses nobody.
 */
export function auditTo({ sink, store, retentionSeconds, now, warn }: AuditOptions): Audit {
  let failedAt = Number.NEGATIVE_INFINITY
  let warnedAt = Number.NEGATIVE_INFINITY
  let keeping: Promise<void> = Promise.resolve()
  let underWay = 0
  let unkept = 0

  async function keep(event: AuditEvent, line: string): Promise<void> {
    if (underWay >= MAX_KEEPING) return lost('the store does not keep up')
    underWay += 1
    try {
      await store.keepDecision({
        id: event.id,
        at: epochSeconds(Date.parse(event.at)),
        event: line,
      })
    } catch (error) {
      lost((error as Error).message)
    } finally {
      underWay -= 1
    }
  }

  function lost(problem: string): void {
    unkept += 1
    if (now() - warnedAt < WARN_EVERY_MS) return
    warnedAt = now()
    warn(
      { problem, unkept },
      'the store keeps no decisions: /decisions does not find them, the audit log has them',
    )
  }

  async function write(event: AuditEvent): Promise<void> {
    const line = redact(JSON.stringify(event))
    // Before the line, so that a store which is free has it when the answer leaves.
    const kept = keep(event, line)
    keeping = kept
    try {
      await sink.write(`${line}\n`)
    } catch (error) {
      // Nothing is issued after all, and what is kept must not say so.
      const untold = { ...event, outcome: 'failed', reason: 'audit_unavailable', token: null }
      keeping = kept.then(() => keep(event, redact(JSON.stringify(untold))))
      throw error
    }
  }

  return {
    async record(event) {
      try {
        await write(event)
        failedAt = Number.NEGATIVE_INFINITY
      } catch (cause) {
        failedAt = now()
        throw new Refusal('audit_unavailable', {}, { cause })
      }
    },
    async find(id) {
      // What was just written may still be on its way.
      await keeping
      const notBefore = epochSeconds(now()) - retentionSeconds
      const line = await store.findDecision(id, notBefore).catch((cause) => {
        throw new Refusal('store_unavailable', { needed: 'kept decisions' }, { cause })
      })
      return line === null ? null : (JSON.parse(line) as AuditEvent)
    },
    working: () => now() - failedAt >= FAILING_MS,
    unkept: () => unkept,
  }
}

/** Writes from an offset; returns how many bytes it took. */
type WriteBytes = (fd: number, bytes: Uint8Array, offset: number) => number

/**
 * Appends to a file, one write an event-loop turn. A line that a crash or a full disk cut short stays a line of its own.
 *
 * @param write `writeSync`, or what a test puts in its place
 * @throws Error when the file cannot be opened for appending
 */
export function fileSink(path: string, write: WriteBytes = writeSync): AuditSink {
  const fd = openSync(path, 'a+', 0o640)
  const size = fstatSync(fd).size
  const last = Buffer.alloc(1)
  if (size > 0 && readSync(fd, last, 0, 1, size - 1) === 1 && last.toString() !== '\n') {
    writeSync(fd, '\n')
  }
  let torn = false
  const append = grouped((lines: readonly string[]) => {
    // A disk that filled up in mid-line must not swallow the next line too.
    const bytes = Buffer.from(`${torn ? '\n' : ''}${lines.join('')}`)
    torn = true
    for (let written = 0; written < bytes.length; ) {
      written += write(fd, bytes, written)
    }
    torn = false
    return lines.map(() => undefined)
  })
  return { write: append, close: () => closeSync(fd) }
}

/** Writes to a stream such as standard output; a closed pipe rejects. */
export function streamSink(stream: NodeJS.WritableStream): AuditSink {
  // Every write hears of the failure by itself; without a listener it would also end the process.
  stream.on('error', () => undefined)
  const write = grouped(
    (lines: readonly string[]) =>
      new Promise<readonly undefined[]>((resolve, reject) => {
        stream.write(lines.join(''), (error) =>
          error ? reject(error) : resolve(lines.map(() => undefined)),
        )
      }),
  )
  return { write, close: () => undefined }
}
