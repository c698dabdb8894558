/**
 * `countersign doctor`: looks at everything a token request depends on, in the order in which it can be wrong, and
 * says what to do. With a token file it walks that token through the real attestor, without issuing anything.
 */

import { readFileSync } from 'node:fs'
import { ADVICE } from '../advice.ts'
import { startAttestors } from '../broker.ts'
import type { Config } from '../config.ts'
import type { Attestor } from '../identity.ts'
import { createDoor, type Door, DoorError } from '../net/fetch.ts'
import { parseJwt } from '../net/jwt.ts'
import { renderProblem } from '../problem.ts'
import { Refusal } from '../refusal.ts'
import { trustTable } from '../trust.ts'
import { epochSeconds } from '../units.ts'
import { pathOf } from '../uri.ts'
import { findProblems } from './check.ts'
import { type Command, parseOptions, type Terminal } from './command.ts'
import { CONFIG_OPTION, loadFile } from './settings.ts'

/** One thing looked at. `advice` is empty when it is well. */
type Finding = {
  readonly about: string
  readonly state: 'ok' | 'warning' | 'wrong'
  readonly text: string
  readonly advice: string
}

/** More than this between two clocks, and short-lived tokens are refused, seconds. */
const MAX_SKEW_SECONDS = 30

export const command: Command = {
  usage: `usage: countersign doctor [--config FILE] [--token-file FILE] [--json]

  --config FILE       the configuration (default countersign.yaml)
  --token-file FILE   a platform token to try, as a client would send it
  --json              print the findings as one JSON array`,

  async run(args, terminal) {
    const { values } = parseOptions(args, {
      options: {
        ...CONFIG_OPTION,
        'token-file': { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    })
    const findings = await examine(values.config, values['token-file'], terminal)
    if (values.json) terminal.out(JSON.stringify(findings))
    else for (const finding of findings) print(finding, terminal)
    return findings.some(({ state }) => state === 'wrong') ? 1 : 0
  },
}

async function examine(
  file: string | undefined,
  tokenFile: string | undefined,
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
  findings.push(await examineIssuer(loaded.config, door))
  const cleanup: (() => void)[] = []
  try {
    const attestors = await startAttestors(
      loaded.config,
      { now: terminal.now, warn: () => undefined, door },
      cleanup,
    )
    for (const attestor of attestors) findings.push(...examineTrust(attestor))
    if (tokenFile !== undefined) findings.push(await examineToken(attestors, tokenFile, terminal))
  } finally {
    for (const end of cleanup) end()
  }
  return findings
}

/** Whether what answers at the issuer is a broker of this issuer. */
async function examineIssuer({ issuer }: Config, door: Door): Promise<Finding> {
  const about = `issuer ${issuer}`
  const { origin } = new URL(issuer)
  const url = `${origin}/.well-known/oauth-authorization-server${pathOf(issuer)}`
  try {
    const { body } = await door({ url, allow: [origin], allowPrivate: true, json: true })
    const document = JSON.parse(body) as Record<string, unknown>
    if (document['issuer'] === issuer) return well(about, 'its metadata is ours')
    return wrong(
      about,
      `its metadata names ${document['issuer']}`,
      'Another server answers at this URL.',
    )
  } catch (error) {
    const text = error instanceof DoorError ? error.message : `${url} is not JSON`
    const advice = 'Start the broker, or look at its TLS proxy, DNS and certificate.'
    return { about, state: 'warning', text, advice }
  }
}

function examineTrust(attestor: Attestor): readonly Finding[] {
  const { ready, keys, problem, clockSkewSeconds } = attestor.health()
  const about = `trust ${attestor.trust}`
  const found: Finding[] = []
  if (!ready) {
    const advice =
      'Compare `issuer` and `jwks` of the entry with the cluster; see attestors/README.md.'
    found.push(wrong(about, problem ?? 'no keys yet', advice))
  } else if (problem === null) {
    found.push(well(about, `${keys} keys; tokens need aud ${attestor.audience}`))
  } else {
    found.push({
      about,
      state: 'warning',
      text: problem,
      advice: 'The keys from before are in use.',
    })
  }
  if (clockSkewSeconds !== null && Math.abs(clockSkewSeconds) > MAX_SKEW_SECONDS) {
    const text = `this host's clock differs by ${clockSkewSeconds} s from the issuer's`
    found.push(wrong(`clock, ${attestor.trust}`, text, 'Run NTP on both.'))
  }
  return found
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

function well(about: string, text: string): Finding {
  return { about, state: 'ok', text, advice: '' }
}

function wrong(about: string, text: string, advice: string): Finding {
  return { about, state: 'wrong', text, advice }
}

function print({ about, state, text, advice }: Finding, terminal: Terminal): void {
  terminal.out(`${state.padEnd(8)}${about}: ${text}`)
  if (advice !== '') terminal.out(`        ${advice}`)
}
