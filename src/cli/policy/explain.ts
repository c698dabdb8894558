/** `countersign policy explain`: why one request was decided as it was. */

import { existsSync } from 'node:fs'
import { ADVICE } from '../../advice.ts'
import { decide } from '../../policy/decide.ts'
import { type Explanation, explain } from '../../policy/explain.ts'
import { readRecorded } from '../../policy/report/recorded.ts'
import { type Command, parseOptions, type Terminal, UsageError } from '../command.ts'
import { askBroker, type Case, caseOf, findDecision, readCase } from './requests.ts'
import { openSite, POLICY_OPTIONS, readGeneration, type Site } from './sources.ts'
import { painter } from './table.ts'

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export const command: Command = {
  usage: `usage: countersign policy explain ID|FILE [--config FILE | --admin URL] [--json]

  ID              a decision id: X-Request-Id of the answer, jti of the token
  FILE            an audit event or a Question as JSON; - for standard input
  --config FILE   the configuration (default countersign.yaml)
  --admin URL     ask the broker whose admin listener this is, such as that of countersign dev
  --json          print the explanation as JSON

A decision is looked for at the running broker, then in its database, then in its audit file.`,

  async run(args, terminal) {
    const { values, positionals } = parseOptions(args, {
      options: { ...POLICY_OPTIONS, admin: { type: 'string' } },
      allowPositionals: true,
    })
    const [what] = positionals
    if (what === undefined) throw new UsageError('say which decision: an id, or a file')
    const told = await tell(what, values, terminal)
    if (values.json) terminal.out(JSON.stringify(told))
    else print(told, terminal)
    return 0
  },
}

type Told = {
  /** Where the decision was found. */
  readonly from: string
  readonly event: Pick<
    NonNullable<Case['event']>,
    'id' | 'at' | 'outcome' | 'reason' | 'detail'
  > | null
  readonly advice: string | null
  readonly explanation: Explanation | null
  /** False when other policies decided then: the explanation is of those that are in force now. */
  readonly sameGeneration: boolean
}

async function tell(
  what: string,
  options: { readonly config?: string; readonly admin?: string },
  terminal: Terminal,
): Promise<Told> {
  const byName = ID.test(what) && !existsSync(what)
  if (options.admin !== undefined) {
    if (!byName) throw new UsageError('--admin takes a decision id')
    const { origin } = new URL(options.admin)
    return { from: origin, ...(await askBroker(origin, what)) }
  }
  const site = openSite(options, undefined, terminal)
  return byName ? byId(what, site) : explained(readCase(what), what, site)
}

async function byId(id: string, site: Site): Promise<Told> {
  const found = await findDecision(site.config, id)
  if ('told' in found) return { from: found.from, ...found.told }
  if (readRecorded(found.event)?.question === null) {
    const event = found.event as Told['event']
    return {
      from: found.from,
      event,
      advice: adviceFor(event),
      explanation: null,
      sameGeneration: true,
    }
  }
  return explained(caseOf(found.event, id), found.from, site)
}

async function explained({ question, event }: Case, from: string, site: Site): Promise<Told> {
  const generation = await readGeneration(site.path, site.settings)
  const decision = decide(question, generation)
  return {
    from,
    event,
    advice: adviceFor(event),
    explanation: explain(question, decision, generation),
    sameGeneration:
      event === null || event.decision === null || event.decision.generation === generation.id,
  }
}

function adviceFor(event: Told['event']): string | null {
  const reason = event?.reason ?? null
  return reason === null || reason === 'internal_error' ? null : ADVICE[reason]
}

function print(
  { from, event, advice, explanation, sameGeneration }: Told,
  terminal: Terminal,
): void {
  const paint = painter(terminal)
  if (event !== null) {
    const reason = event.reason === null ? '' : ` (${event.reason})`
    terminal.out(
      `${paint('bold', `${event.outcome}${reason}`)}  decision ${event.id} at ${event.at}, from ${from}`,
    )
  }
  if (!sameGeneration) {
    terminal.out('Other policies decided then. What follows is what those of now say:')
  }
  for (const line of explanation?.lines ?? []) terminal.out(paint(colourOf(line), line))
  if (explanation === null && event !== null) {
    for (const [name, value] of Object.entries(event.detail))
      terminal.out(`  ${name}: ${JSON.stringify(value)}`)
  }
  if (advice !== null) terminal.out(`What to do: ${advice}`)
}

function colourOf(line: string): 'red' | 'green' | 'dim' | 'bold' {
  if (/^\S+: DENIED/.test(line)) return 'red'
  if (/^\S+: PERMITTED/.test(line)) return 'green'
  return line.startsWith('    ') ? 'dim' : 'bold'
}
