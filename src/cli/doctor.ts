/**
 * `countersign doctor`: looks at everything a token request depends on, in the order in which it can be wrong, and
 * says what to do. With a token file it walks that token through the real attestor, without issuing anything.
 */

import { readFileSync } from 'node:fs'
import { ADVICE } from '../advice.ts'
import type { Attestor } from '../identity.ts'
import { createDoor } from '../net/fetch.ts'
import { parseJwt } from '../net/jwt.ts'
import { renderProblem } from '../problem.ts'
import { Refusal } from '../refusal.ts'
import { trustTable } from '../trust.ts'
import { epochSeconds } from '../units.ts'
import { startAttestors } from '../vouchers.ts'
import { findProblems } from './check.ts'
import { type Command, parseOptions, type Terminal } from './command.ts'
import { type Finding, well, wrong } from './doctor/finding.ts'
import { examineCertificates, examineIssuer } from './doctor/listeners.ts'
import { askRunning, examineRunning } from './doctor/running.ts'
import { examineStore } from './doctor/store.ts'
import { examineTrust } from './doctor/trust.ts'
import { adminOrigin } from './policy/requests.ts'
import { CONFIG_OPTION, loadFile } from './settings.ts'

export const command: Command = {
  usage: `usage: countersign doctor [--config FILE] [--token-file FILE] [--admin URL] [--json]

  --config FILE       the configuration (default countersign.yaml)
  --token-file FILE   a platform token to try, as a client would send it
  --admin URL         the admin listener of the running broker (default: of the configuration)
  --json              print the findings as one JSON array`,

  async run(args, terminal) {
    const { values } = parseOptions(args, {
      options: {
        ...CONFIG_OPTION,
        'token-file': { type: 'string' },
        admin: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    })
    const findings = await examine(values.config, values, terminal)
    if (values.json) terminal.out(JSON.stringify(findings))
    else for (const finding of findings) print(finding, terminal)
    return findings.some(({ state }) => state === 'wrong') ? 1 : 0
  },
}

async function examine(
  file: string | undefined,
  { 'token-file': tokenFile, admin }: { 'token-file'?: string; admin?: string },
  terminal: Terminal,
): Promise<readonly Finding[]> {
  const problems = await findProblems(file, terminal)
  const findings: Finding[] = problems.map((problem) => ({
    about: 'configuration and policies',
    state: problem.severity === 'error' ? 'wrong' : 'warning',
    text: renderProblem(problem),
    advice: 'Correct the line; `countersign check` looks again.',
  }))
  const loaded = loadFile(file, terminal.env)
  if (!('config' in loaded)) return findings
  if (problems.length === 0) findings.push(well('configuration and policies', 'no problem'))

  const door = createDoor()
  const now = epochSeconds(terminal.now())
  findings.push(...(await examineStore(loaded.config, now)))
  findings.push(...examineCertificates(loaded.config, now))
  findings.push(await examineIssuer(loaded.config, door))
  const running = await askRunning(admin ?? adminOrigin(loaded.config), door)
  findings.push(...examineRunning(running, now))
  const cleanup: (() => void | Promise<void>)[] = []
  try {
    const attestors = await startAttestors(
      loaded.config,
      { now: terminal.now, warn: () => undefined, door },
      cleanup,
    )
    for (const attestor of attestors) {
      findings.push(...examineTrust(attestor, running, now))
    }
    if (tokenFile !== undefined) findings.push(await examineToken(attestors, tokenFile, terminal))
  } finally {
    for (const end of cleanup) await end()
  }
  return findings
}

async function examineToken(
  attestors: readonly Attestor[],
  file: string,
  terminal: Terminal,
): Promise<Finding> {
  const about = `token ${file}`
  const now = epochSeconds(terminal.now())
  try {
    const jwt = parseJwt(readFileSync(file, 'utf8').trim())
    const prepared = await trustTable(attestors).select(jwt).prepare(jwt, now)
    const identity = prepared.verify(now)
    return well(about, `${identity.uri}, ${identity.expiresAt - now} s left`)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const detail = Object.entries(error.detail).map(([name, value]) => `${name} ${value}`)
    return wrong(about, [error.reason, ...detail].join(', '), ADVICE[error.reason])
  }
}

function print({ about, state, text, advice }: Finding, terminal: Terminal): void {
  terminal.out(`${state.padEnd(8)}${about}: ${text}`)
  if (advice !== '') terminal.out(`        ${advice}`)
}
