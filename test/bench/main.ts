/**
 * `npm run bench -- [--quick] [--json F]`: the floor, the bare cryptography, our token endpoint and a peer, measured in
 * one run, in turn. Compare ratios; absolute figures drift with the machine.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { standIn } from '../../src/cli/standin.ts'
import type { Contender } from './contender.ts'
import { countersign, settlementForm } from './contenders/countersign.ts'
import { crypto } from './contenders/crypto.ts'
import { floor } from './contenders/floor.ts'
import { provider } from './contenders/provider.ts'
import { pool } from './pool.ts'
import { render, summarise } from './report.ts'
import { compete, type Plan } from './rounds.ts'

const FLOOR = floor()
const PEER = provider()

/** Who takes part, in the order of a round. A new variant is one line. */
const CONTENDERS: readonly Contender[] = [
  FLOOR,
  crypto(),
  countersign({ store: 'memory', assertions: 'cold' }),
  countersign({ store: 'memory', assertions: 'cold', dpop: true }),
  countersign({ store: 'memory', assertions: 'repeated' }),
  countersign({ store: 'memory', assertions: 'repeated', format: 'opaque' }),
  countersign({ store: 'file', assertions: 'cold' }),
  PEER,
]

const CONNECTIONS = 32

const FULL: Plan = {
  rounds: 7,
  warmUp: { connections: CONNECTIONS, seconds: 4, supply: 5_000 },
  round: { connections: CONNECTIONS, seconds: 2, supply: 4_000 },
  alone: { connections: 1, seconds: 2, supply: 2_000 },
}

const QUICK: Plan = {
  rounds: 3,
  warmUp: { connections: CONNECTIONS, seconds: 1.2, supply: 1_200 },
  round: { connections: CONNECTIONS, seconds: 0.7, supply: 700 },
  alone: { connections: 1, seconds: 0.4, supply: 400 },
}

const USAGE = 'usage: npm run bench -- [--quick] [--json FILE]'

type Options = { readonly quick: boolean; readonly json: string | undefined }

async function main(): Promise<void> {
  const { quick, json } = readOptions()
  const plan = quick ? QUICK : FULL
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  // Servers end when this process does: see `serve.ts`.
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))

  const cluster = await standIn()
  try {
    const forms = pool(() => settlementForm(cluster))
    const header = {
      date: new Date().toISOString(),
      node: process.version,
      cpu: `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}`,
      formBytes: forms.take(0, 1)[0]?.length,
      plan,
    }
    out(`countersign bench   ${header.date}   node ${header.node}   ${header.cpu}`)
    out(
      `${plan.rounds} rounds of ${plan.round.seconds} s or ${plan.round.supply} assertions, in turn;` +
        ` ${CONNECTIONS} connections, form ${header.formBytes} bytes; median (least..most)\n`,
    )
    const results = await compete(CONTENDERS, plan, { folder, cluster, forms }, tell)
    const summaries = summarise(results, { floor: FLOOR.name, peer: PEER.name })
    tell('')
    out(render(summaries))
    if (json !== undefined) {
      writeFileSync(json, `${JSON.stringify({ ...header, contenders: summaries }, null, 2)}\n`)
    }
  } finally {
    cluster.close()
  }
}

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
    })
    return { quick: values.quick, json: values.json }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`)
    process.exit(2)
  }
}

function out(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** What happens now, for who waits at a terminal. */
function tell(sentence: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${sentence}`)
}

try {
  await main()
} catch (error) {
  process.stderr.write(`\nbench: ${(error as Error).message}\n`)
  process.exitCode = 1
}
