/**
 * `npm run bench:replay`: a log of 100,000 decisions, written by the broker's own audit, replayed by the command that a
 * security team would run. The candidate ends working hours at 18:00 instead of 20:00.
 */

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditTo, fileSink } from '../../src/audit.ts'
import { loadFile } from '../../src/cli/settings.ts'
import { policySettings } from '../../src/config.ts'
import type { Generation } from '../../src/policy/generation.ts'
import { load } from '../../src/policy/load.ts'
import { snapshot } from '../../src/snapshot.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { epoch, question, recordedEvent, SETTLEMENT, workload } from '../policy/world.ts'
import { run } from '../process/cli.ts'

const EVENTS = 100_000
const EXAMPLE = join(import.meta.dirname, '../../policies/examples/working-hours')
const JOBS = ['settlement', 'booking', 'batch'].map((name) => workload('prod-eu', 'payments', name))

const folder = mkdtempSync(join(tmpdir(), 'countersign-replay-'))
try {
  const log = join(folder, 'audit.jsonl')
  const candidate = join(folder, 'candidate')
  const config = join(EXAMPLE, 'countersign.yaml')
  await writeLog(log, await generationOf(config))
  tighten(candidate)
  const started = performance.now()
  const replay = ['policy', 'replay', '--config', config, '--log', log, '--candidate', candidate]
  const { code, out, err } = await run(...replay)
  process.stdout.write(`${out}${err}`)
  const seconds = (performance.now() - started) / 1000
  process.stdout.write(
    `\n${EVENTS} events, exit ${code}, ${seconds.toFixed(1)} s with start and policies\n`,
  )
  process.exitCode = seconds < 30 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function generationOf(config: string): Promise<Generation> {
  const loaded = loadFile(config, {})
  if (!('config' in loaded)) throw new Error('the example does not load')
  const files = await snapshot(loaded.config.policies.path)
  const policies = await load(files, policySettings(loaded.config))
  if (!('generation' in policies)) throw new Error('the policies of the example do not load')
  return policies.generation
}

/** A request every second, from 09:00 on a working day, by three jobs in turn. */
async function writeLog(path: string, generation: Generation): Promise<void> {
  const store = openSqlite(':memory:')
  const sink = fileSink(path)
  const audit = auditTo({ sink, store, retentionSeconds: 60, now: () => 0, warn: () => {} })
  const start = epoch('2026-11-19T08:00:00Z')
  let turn: Promise<void>[] = []
  for (let n = 0; n < EVENTS; n++) {
    const actor = JOBS[n % JOBS.length] ?? SETTLEMENT
    const asked = question({ at: start + n, actor })
    turn.push(audit.record(recordedEvent(n, asked, generation)))
    if (turn.length === 500) {
      await Promise.all(turn)
      turn = []
    }
  }
  await Promise.all(turn)
  sink.close()
  store.close()
}

function tighten(candidate: string): void {
  cpSync(EXAMPLE, candidate, { recursive: true, filter: (path) => !path.endsWith('.yaml') })
  const file = join(candidate, 'settlement.cedar')
  writeFileSync(file, readFileSync(file, 'utf8').replace('duration("20h")', 'duration("18h")'))
}
