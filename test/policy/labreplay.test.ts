/** Explain, what-if and replay: recorded requests, decided again. */

import assert from 'node:assert/strict'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { auditTo, fileSink } from '../../src/audit.ts'
import { playground } from '../../src/cli/playground.ts'
import { batches } from '../../src/cli/policy/lines.ts'
import { freePorts } from '../../src/cli/ports.ts'
import { decide } from '../../src/policy/decide.ts'
import { createTally, flips } from '../../src/policy/replay.ts'
import { readRecorded } from '../../src/policy/report/recorded.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { run } from '../process/cli.ts'
import { scratch } from '../world/scratch.ts'
import { compiled, epoch, question, recordedEvent, workload } from './world.ts'

const EXAMPLE = 'policies/examples/working-hours'
const CONFIG = readFileSync(join(EXAMPLE, 'countersign.yaml'), 'utf8')
const POLICY = readFileSync(join(EXAMPLE, 'settlement.cedar'), 'utf8')

const id = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`

/** A folder with a configuration, an audit log that the broker's own code wrote, and candidate policies. */
async function lab(t: { after(end: () => void): void }) {
  const folder = scratch(t)
  const config = join(folder, 'countersign.yaml')
  const log = join(folder, 'audit.jsonl')
  const sqlite = join(folder, 'state.db')
  const candidate = join(folder, 'candidate.cedar')
  writeFileSync(
    config,
    `${CONFIG}\nadmin: { port: 1 }\naudit: { file: ${log} }\nstore: { sqlite: ${sqlite} }\n`.replace(
      'path: .',
      'path: running.cedar',
    ),
  )
  writeFileSync(join(folder, 'running.cedar'), POLICY)
  const store = openSqlite(sqlite)
  const sink = fileSink(log)
  const audit = auditTo({ sink, store, retentionSeconds: 60, now: () => 0, warn: () => {} })
  const asked = [
    question({ at: epoch('2026-11-19T10:00:00Z') }),
    question({ at: epoch('2026-11-19T18:30:00Z') }),
    question({ at: epoch('2026-11-19T18:45:00Z') }),
    question({
      at: epoch('2026-11-19T10:00:00Z'),
      actor: workload('prod-eu', 'payments', 'batch'),
    }),
    question({
      at: epoch('2026-11-19T10:00:00Z'),
      actor: workload('prod-eu', 'payments', 'booking'),
      sender: 'dpop',
      scopes: ['trades:write'],
    }),
  ]
  for (const [index, each] of asked.entries())
    await audit.record(recordedEvent(index, each, compiled(POLICY)))
  const early = {
    ...recordedEvent(9, question(), compiled(POLICY)),
    question: null,
    decision: null,
    outcome: 'refused',
    reason: 'token_expired',
    detail: { expiredAt: 5 },
  } as const
  await audit.record(early)
  sink.close()
  store.close()
  return { folder, config, log, candidate, asked }
}

test('replay: each flip, grouped, counted, dated and blamed; what cannot be read is counted', async (t) => {
  const { config, log, candidate } = await lab(t)
  writeFileSync(
    candidate,
    `${POLICY.replace('duration("20h")', 'duration("19h")').replace('@ttl("2m")', '@ttl("1m")')}
@id("batch-reads") @owner("team-batch")
permit (principal == ServiceAccount::"prod-eu/payments/batch", action == Action::"trades:read", resource);`,
  )
  appendFileSync(log, 'not json\n[]\n{"id":"x","at":"y","question":{"version":9}}\n\n{"id":"cut')
  const text = await run(
    'policy',
    'replay',
    '--config',
    config,
    '--log',
    log,
    '--candidate',
    candidate,
  )
  assert.equal(text.code, 0, text.err)
  assert.match(text.out, /Replayed 5 requests of .* 2026-11-19T10:00:00Z to 2026-11-19T18:45:00Z/)
  assert.match(
    text.out,
    /1 request refused before any policy; 4 lines that cannot be read \(line 7, 8, 9, 11\)/,
  )
  assert.match(
    text.out,
    /LOSES ACCESS {2}2 × in 1 group\n {2}ServiceAccount::"prod-eu\/payments\/settlement"\n {4}trades:read at/,
  )
  assert.match(
    text.out,
    /2 ×: no permit matches; it was permitted by settlement-reads-trades \(.*candidate\.cedar:2, owner team-payments\)/,
  )
  assert.match(text.out, /timeOfDay < duration\("19h"\) \(is 19h30m\)/)
  assert.match(
    text.out,
    /GAINS ACCESS {2}1 × in 1 group\n.*batch"\n.*\n {4}1 ×: permitted by batch-reads/,
  )
  assert.match(
    text.out,
    /3 of 5 requests change; the other 2 are decided as before\. 1 token would live for another time/,
  )

  const failing = await run(
    'policy',
    'replay',
    '--config',
    config,
    '--log',
    log,
    '--candidate',
    candidate,
    '--fail-on',
    'loss',
    '--markdown',
  )
  assert.equal(failing.code, 1)
  assert.match(failing.out, /^### 🔴 Policy replay: 2 losses, 1 gain$/m)
  assert.match(
    failing.out,
    /^\| \*\*loses\*\* \| `ServiceAccount::"prod-eu\/payments\/settlement"` \| `trades:read` at/m,
  )

  const json = JSON.parse(
    (
      await run(
        'policy',
        'replay',
        '--config',
        config,
        '--log',
        log,
        '--candidate',
        candidate,
        '--json',
      )
    ).out,
  )
  assert.deepEqual(
    [json.decided, json.undecided, json.malformed, json.losses, json.gains, json.lifetimes],
    [5, 1, 4, 2, 1, 1],
  )
  assert.deepEqual(json.groups[0].samples, [id(1), id(2)])

  const same = await run(
    'policy',
    'replay',
    '--config',
    config,
    '--log',
    log,
    '--candidate',
    candidate,
    '--baseline',
    candidate,
  )
  assert.match(same.out, /Nobody loses or gains anything in 5 requests\./)
})

test('replay: a forbid that decides is named, and so is one that is not there any more', () => {
  const open = compiled('@id("p") permit (principal, action, resource);')
  const shut = compiled(
    '@id("p") permit (principal, action, resource); @id("f") forbid (principal, action == Action::"trades:write", resource);',
  )
  const asked = question({ scopes: ['trades:read', 'trades:write'] })
  const [was, is] = [decide(asked, open).rulings, decide(asked, shut).rulings]
  assert.deepEqual(flips(asked, was, was), [])
  const lost = flips(asked, was, is)
  assert.deepEqual(
    lost.map(({ direction, action, policies, result }) => [direction, action, policies, result]),
    [['loses', 'trades:write', ['f'], 'forbidden']],
  )
  assert.deepEqual(flips(asked, is, was)[0]?.policies, ['p'])
})

test('replay: groups are bounded, and what finds no room is still counted', () => {
  const tally = createTally(2)
  const base = {
    direction: 'loses',
    audience: 'a',
    action: 's',
    result: 'unmatched',
    policies: [],
  } as const
  for (const [index, principal] of ['x', 'y', 'z', 'x'].entries()) {
    tally.add({ ...base, principal }, question(), id(index), `2026-01-0${4 - index}`)
  }
  assert.equal(tally.total('loses'), 4)
  assert.equal(tally.ungrouped(), 1)
  assert.deepEqual(
    tally.groups().map(({ principal, count, first, last }) => [principal, count, first, last]),
    [
      ['x', 2, '2026-01-01', '2026-01-04'],
      ['y', 1, '2026-01-03', '2026-01-03'],
    ],
  )
})

test('a log is read in bounded memory, whatever a line is', async (t) => {
  const file = join(scratch(t), 'log')
  writeFileSync(file, `a\n${'x'.repeat(9 * 1024 * 1024)}\nä\r\n\nlast`)
  const lines = []
  for await (const batch of batches(file)) lines.push(...batch)
  assert.deepEqual(
    lines.map(({ number, text }) => [number, text]),
    [
      [1, 'a'],
      [2, null],
      [3, 'ä\r'],
      [4, ''],
      [5, 'last'],
    ],
  )
})

test('what is no event is none, and a Question from before places has none', () => {
  for (const value of [
    null,
    1,
    [],
    {},
    { id: 'x', at: 'y' },
    { id: 'x', at: 'y', question: { version: 1 } },
  ]) {
    assert.equal(readRecorded(value), null)
  }
  const { place: _place, ...old } = question()
  assert.equal(
    readRecorded({ id: 'x', at: 'y', question: old, decision: null })?.question?.place,
    null,
  )
})

test('explain: by id from the database or the log of a broker that is down, by file, with advice', async (t) => {
  const { config, folder, log } = await lab(t)
  const kept = await run('policy', 'explain', id(1), '--config', config)
  assert.equal(kept.code, 0, kept.err)
  assert.match(kept.out, /^issued {2}decision .* from .*state\.db$/m)
  assert.match(kept.out, /trades:read: PERMITTED\n {2}permit settlement-reads-trades/)

  const denied = await run('policy', 'explain', id(3), '--config', config)
  assert.match(denied.out, /^refused \(policy_denied\)/)
  assert.match(
    denied.out,
    /nearest: permit settlement-reads-trades \(.*running\.cedar:2, owner team-payments\)/,
  )
  assert.match(denied.out, /- principal == .* \(is ServiceAccount::"prod-eu\/payments\/batch"\)/)
  assert.match(denied.out, /^What to do: /m)

  const early = await run('policy', 'explain', id(9), '--config', config)
  assert.match(early.out, /refused \(token_expired\)[\s\S]*expiredAt: 5[\s\S]*What to do: /)

  const moved = readFileSync(config, 'utf8').replace('state.db', 'other.db')
  writeFileSync(config, moved)
  assert.match(
    (await run('policy', 'explain', id(1), '--config', config)).out,
    /from .*audit\.jsonl/,
  )
  const unknown = await run('policy', 'explain', id(77), '--config', config)
  assert.equal(unknown.code, 1)
  assert.match(
    unknown.err,
    /no decision .*looked in http:\/\/127\.0\.0\.1:1 .*other\.db.*audit\.jsonl/,
  )

  const file = join(folder, 'question.json')
  writeFileSync(file, JSON.stringify(question()))
  assert.match(
    (await run('policy', 'explain', file, '--config', config)).out,
    /trades:read: PERMITTED/,
  )
  assert.equal((await run('policy', 'explain', log, '--config', config)).code, 1)
  assert.equal((await run('policy', 'explain')).code, 2)
})

test('explain: a denial of the demo, from the running broker and from its audit line', async (t) => {
  const [port = 0, adminPort = 0] = await freePorts(2)
  const lines: string[] = []
  const into = (keep: (text: string) => void) =>
    new Writable({
      write: (chunk, _encoding, done) => {
        keep(String(chunk))
        done()
      },
    })
  const now = Date.parse('2026-11-19T21:40:00Z')
  const ground = await playground({
    policies: 'examples/working-hours',
    port,
    adminPort,
    now: () => now,
    auditStream: into((text) => lines.push(text)),
    logStream: into(() => undefined),
  })
  t.after(() => ground.close())
  const pod = { namespace: 'payments', serviceAccount: 'settlement' }
  const response = await fetch(`${ground.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: ground.cluster.token(pod, {
        audience: ground.issuer,
        issuedAt: now / 1000,
        lifetime: 600,
      }),
      resource: 'https://mcp.example.com',
      scope: 'trades:read',
    }),
  })
  assert.equal(response.status, 400)
  const decision = response.headers.get('x-request-id') ?? ''
  const running = await run('policy', 'explain', decision, '--admin', ground.running.adminUrl)
  assert.match(
    running.out,
    /^refused \(policy_denied\)[\s\S]*timeOfDay < duration\("20h"\) \(is 22h40m\)[\s\S]*What to do: /,
  )

  const file = join(scratch(t), 'event.json')
  writeFileSync(file, lines.join(''))
  const config = join(EXAMPLE, 'countersign.yaml')
  assert.match((await run('policy', 'explain', file, '--config', config)).out, /\(is 22h40m\)/)
  const earlier = await run(
    'policy',
    'what-if',
    file,
    '--config',
    config,
    '--set',
    'at=2026-11-19T10:15[Europe/Berlin]',
  )
  assert.equal(earlier.code, 0)
  assert.match(earlier.out, /trades:read {2}unmatched +permitted: settlement-reads-trades {2}GAINS/)
})

test('what-if: edited, under candidate policies, or as recorded', async (t) => {
  const { config, folder, candidate } = await lab(t)
  const file = join(folder, 'event.json')
  writeFileSync(
    file,
    JSON.stringify(
      recordedEvent(1, question({ scopes: ['trades:read', 'trades:write'] }), compiled(POLICY)),
    ),
  )
  writeFileSync(
    candidate,
    `${POLICY}\n@id("no-bearer") forbid (principal, action, resource) when { context.sender == "bearer" };`,
  )
  const whatIf = (...args: string[]) => run('policy', 'what-if', file, '--config', config, ...args)

  const unchanged = await whatIf()
  assert.equal(unchanged.code, 0, unchanged.err)
  assert.match(unchanged.out, /as recorded[\s\S]*Nothing changes/)
  const late = await whatIf('--set', 'at=2026-11-19T22:40[Europe/Berlin]')
  assert.equal(late.code, 1)
  assert.match(late.out, /trades:read .*permitted: settlement-reads-trades {2}unmatched.*LOSES/)
  assert.match(late.out, /edited:\n {2}trades:read: DENIED[\s\S]*\(is 22h40m\)/)
  const stricter = await whatIf('--candidate', candidate)
  assert.match(
    stricter.out,
    /forbidden: no-bearer.*LOSES[\s\S]*forbid no-bearer[\s\S]*- context\.sender == "bearer" \(is "bearer"\)/,
  )
  assert.equal((await whatIf('--candidate', candidate, '--set', 'sender=dpop')).code, 0)
  const other = JSON.parse(
    (
      await whatIf(
        '--set',
        'principal=ServiceAccount::"prod-eu/payments/batch"',
        '--set',
        'facts.pod.name=batch-7',
        '--set',
        'scopes=trades:read',
        '--json',
      )
    ).out,
  )
  assert.equal(other.after.question.actor.facts['pod.name'].value, 'batch-7')
  assert.deepEqual(other.after.question.scopes, ['trades:read'])
  assert.equal(other.after.question.subject, 'k8s://prod-eu/ns/payments/sa/batch')

  for (const edit of [
    'sourceip=1.2.3.4',
    'at=noon',
    'sourceIp=here',
    'requestedTtl=long',
    'facts.pod.nmae=x',
    'principal=nobody',
    'nothing',
  ]) {
    const { code, err } = await whatIf('--set', edit)
    assert.equal(code, 2, edit)
    assert.match(err, /--set/)
  }
})
