import assert from 'node:assert/strict'
import { appendFileSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { type AuditEvent, type AuditSink, auditTo, fileSink, streamSink } from '../src/audit.ts'
import { openSqlite } from '../src/store/sqlite.ts'
import type { Store } from '../src/store/store.ts'
import { scratch } from './world/scratch.ts'

const EVENT: AuditEvent = {
  version: 1,
  id: 'decision-1',
  at: '2026-11-19T09:15:00.000Z',
  outcome: 'refused',
  reason: 'token_expired',
  detail: { now: 5 },
  grantType: 'client_credentials',
  evidence: [{ carrier: 'assertion', digest: null, claimedIssuer: null, claimedSubject: null }],
  question: null,
  decision: null,
  token: null,
}

const AT = Date.parse(EVENT.at)

function auditOf(sink: AuditSink, store: Store, now = () => AT, warn: Warn = () => {}) {
  return auditTo({ sink, store, retentionSeconds: 60, now, warn })
}

type Warn = Parameters<typeof auditTo>[0]['warn']

function lines(): AuditSink & { readonly written: string[] } {
  const written: string[] = []
  return {
    written,
    async write(line) {
      written.push(line)
    },
    close() {},
  }
}

test('an event is one line, and is found again by its id', async (t) => {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  const sink = lines()
  const audit = auditOf(sink, store)
  await audit.record(EVENT)
  assert.equal(sink.written.length, 1)
  assert.match(sink.written[0] ?? '', /^\{.*\}\n$/)
  assert.deepEqual(await audit.find('decision-1'), EVENT)
  assert.equal(await audit.find('decision-2'), null)
})

test('what looks like a token does not reach the log, wherever it stood', async (t) => {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  const sink = lines()
  const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl'
  const audit = auditOf(sink, store)
  await audit.record({ ...EVENT, detail: { found: `scope ${jwt} x` } })
  assert.equal(sink.written.join('').includes('eyJ'), false)
  assert.match(sink.written.join(''), /scope \[token\] x/)
  assert.equal(JSON.stringify(await audit.find(EVENT.id)).includes('eyJ'), false)
})

test('an audit that cannot be written refuses the request', async (t) => {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  const full: AuditSink = { write: () => Promise.reject(new Error('ENOSPC')), close() {} }
  await assert.rejects(auditOf(full, store).record(EVENT), { reason: 'audit_unavailable' })
})

test('a store that cannot keep decisions refuses nobody: the log has them, and it is counted and told', async () => {
  const store = openSqlite(':memory:')
  await store.close()
  const sink = lines()
  const told: string[] = []
  let now = AT
  const audit = auditOf(
    sink,
    store,
    () => now,
    (detail, sentence) => told.push(`${sentence} (${detail['unkept']})`),
  )
  const settled = () => assert.rejects(audit.find(EVENT.id), { reason: 'store_unavailable' })
  await audit.record(EVENT)
  await audit.record(EVENT)
  await settled()
  assert.equal(sink.written.length, 2)
  assert.equal(audit.working(), true)
  assert.equal(audit.unkept(), 2)
  assert.equal(told.length, 1, 'once a minute, however many there are')
  now += 60_000
  await audit.record(EVENT)
  await settled()
  assert.match(told[1] ?? '', /^the store keeps no decisions: .* \(3\)$/)
})

test('a store that does not answer is no reason to say that a decision is unknown', async () => {
  const store = openSqlite(':memory:')
  await store.close()
  await assert.rejects(auditOf(lines(), store).find('decision-1'), { reason: 'store_unavailable' })
})

test('nobody waits for a store that hangs, and what piles up before it is bounded', async () => {
  let asked = 0
  const store = openSqlite(':memory:')
  const hanging = {
    ...store,
    keepDecision() {
      asked += 1
      return new Promise<void>(() => undefined)
    },
  }
  const audit = auditOf(lines(), hanging)
  for (let index = 0; index < 10_001; index += 1) await audit.record(EVENT)
  await store.close()
  assert.deepEqual([asked, audit.unkept()], [10_000, 1])
})

test('what is kept after the log failed does not say that a token was issued', async (t) => {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  const full: AuditSink = { write: () => Promise.reject(new Error('ENOSPC')), close() {} }
  const token = { sha256: 'x', kid: 'k', scope: 's', expiresAt: 1 }
  const issued: AuditEvent = { ...EVENT, outcome: 'issued', reason: null, token }
  const audit = auditOf(full, store)
  await assert.rejects(audit.record(issued), { reason: 'audit_unavailable' })
  const kept = await audit.find(EVENT.id)
  assert.deepEqual([kept?.outcome, kept?.token], ['failed', null])
})

test('past its retention an event is not found', async (t) => {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  let now = AT
  const audit = auditOf(lines(), store, () => now)
  await audit.record(EVENT)
  now = AT + 60_000
  assert.notEqual(await audit.find(EVENT.id), null)
  now = AT + 61_000
  assert.equal(await audit.find(EVENT.id), null)
})

test('after a failure the audit says so for ten seconds, or until an event is written', async (t) => {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  let now = AT
  let broken = true
  const sink: AuditSink = {
    async write() {
      if (broken) throw new Error('EIO')
    },
    close() {},
  }
  const audit = auditOf(sink, store, () => now)
  assert.equal(audit.working(), true)
  await assert.rejects(audit.record(EVENT))
  assert.equal(audit.working(), false)
  now += 10_000
  assert.equal(audit.working(), true)
  await assert.rejects(audit.record(EVENT))
  broken = false
  await audit.record(EVENT)
  assert.equal(audit.working(), true)
})

test('a file is appended to, and a line that a crash cut short stays alone', async (t) => {
  const path = join(scratch(t), 'audit.jsonl')
  const first = fileSink(path)
  await Promise.all([first.write('{"n":1}\n'), first.write('{"n":2}\n')])
  first.close()
  appendFileSync(path, '{"n":3,"cut')
  const second = fileSink(path)
  await second.write('{"n":4}\n')
  second.close()
  assert.equal(readFileSync(path, 'utf8'), '{"n":1}\n{"n":2}\n{"n":3,"cut\n{"n":4}\n')
})

test('a line that a full disk cut short does not swallow the next one', async (t) => {
  const path = join(scratch(t), 'audit.jsonl')
  let room = 12
  const sink = fileSink(path, (fd, bytes, offset) => {
    if (room === 0) throw new Error('ENOSPC')
    const taken = writeSync(fd, bytes, offset, Math.min(room, bytes.length - offset))
    room -= taken
    return taken
  })
  await sink.write('{"n":1}\n')
  await assert.rejects(sink.write('{"n":2}\n'), { message: 'ENOSPC' })
  room = 100
  await sink.write('{"n":3}\n')
  sink.close()
  assert.equal(readFileSync(path, 'utf8'), '{"n":1}\n{"n"\n{"n":3}\n')
})

test('a closed pipe refuses instead of losing events', async () => {
  const stream = new Writable({
    write(_chunk, _encoding, callback) {
      callback(new Error('EPIPE'))
    },
  })
  await assert.rejects(streamSink(stream).write('x\n'), { message: 'EPIPE' })
})
