/** `countersign policy what-if`: one request, edited or under other policies, before and after. */

import { existsSync } from 'node:fs'
import { decide } from '../../policy/decide.ts'
import { explain } from '../../policy/explain.ts'
import type { Generation } from '../../policy/generation.ts'
import type { Question, Ruling } from '../../policy/question.ts'
import { entityText } from '../../policy/scan.ts'
import { type Command, parseOptions, type Terminal, UsageError } from '../command.ts'
import { applyEdit } from './edit.ts'
import { type Case, caseOf, findDecision, readCase } from './requests.ts'
import { nearby, openSite, POLICY_OPTIONS, readGeneration, type Site } from './sources.ts'
import { painter, table } from './table.ts'
import { about } from './told.ts'

export const command: Command = {
  usage: `usage: countersign policy what-if FILE [--candidate DIR] [--set PATH=VALUE]… [--config FILE] [--json]

  FILE              an audit event or a Question as JSON, a decision id, or - for standard input
  --candidate DIR   policies to try instead of those of the configuration
  --set PATH=VALUE  change the request; may be repeated:
                      sourceIp=192.0.2.1  at=2026-11-19T22:40[Europe/Berlin]  scopes=a,b  sender=dpop
                      facts.pod.name=batch-0  place.country=DE  principal='ServiceAccount::"c/ns/name"'
                      =null makes a thing unknown
  --config FILE     the configuration (default countersign.yaml)
  --json            print both decisions as JSON

With --candidate the request is decided under the policies of the configuration and under the candidate;
with --set alone it is decided as it was and as it is edited; with neither, what was recorded is compared
with the policies of now. Exit code 1 when the request loses something.`,

  async run(args, terminal) {
    const { values, positionals } = parseOptions(args, {
      options: {
        ...POLICY_OPTIONS,
        candidate: { type: 'string' },
        set: { type: 'string', multiple: true },
      },
      allowPositionals: true,
    })
    const [file] = positionals
    if (file === undefined) throw new UsageError('say which request: a file, a decision id, or -')
    const site = openSite(values, undefined, terminal)
    const recorded = await readRequest(file, site)
    const edits = values.set ?? []
    const edited = edits.reduce(
      (question, edit) => applyEdit(question, edit, site.settings),
      recorded.question,
    )
    const [before, after] = await sides(recorded, edited, edits.length > 0, values.candidate, site)
    if (values.json)
      terminal.out(JSON.stringify({ before, after, changed: changes(before, after) }))
    else print(before, after, edits, terminal)
    return changes(before, after).some(({ loses }) => loses) ? 1 : 0
  },
}

/** One of the two sides. */
type Side = {
  readonly title: string
  readonly question: Question
  readonly rulings: readonly Ruling[]
  readonly ttl: number | null
  /** Empty where the policies that decided are not at hand. */
  readonly lines: readonly string[]
}

async function readRequest(what: string, { config }: Site): Promise<Case> {
  if (what === '-' || existsSync(what) || /[./]/.test(what)) return readCase(what)
  const found = await findDecision(config, what)
  return caseOf('told' in found ? found.told.event : found.event, what)
}

async function sides(
  recorded: Case,
  edited: Question,
  isEdited: boolean,
  candidate: string | undefined,
  { path, settings }: Site,
): Promise<readonly [Side, Side]> {
  const now = await readGeneration(path, settings)
  if (candidate !== undefined) {
    const other = await readGeneration(nearby(candidate), settings)
    return [judged(path, edited, now), judged(candidate, edited, other)]
  }
  if (isEdited) return [judged('as it was', recorded.question, now), judged('edited', edited, now)]
  const { question, rulings, event } = recorded
  const as = 'as recorded'
  return [
    rulings === null
      ? judged(as, question, now)
      : { title: as, question, rulings, ttl: event?.decision?.ttl ?? null, lines: [] },
    judged('now', question, now),
  ]
}

function judged(title: string, question: Question, generation: Generation): Side {
  const decision = decide(question, generation)
  const { lines } = explain(question, decision, generation)
  return { title, question, rulings: decision.rulings, ttl: decision.ttl, lines }
}

type Change = { readonly action: string; readonly loses: boolean; readonly gains: boolean }

function changes(before: Side, after: Side): Change[] {
  const permitted = ({ rulings }: Side, action: string) =>
    rulings.find((ruling) => ruling.action === action)?.result === 'permitted'
  return actionsOf(before, after)
    .map((action) => {
      const [was, is] = [permitted(before, action), permitted(after, action)]
      return { action, loses: was && !is, gains: is && !was }
    })
    .filter(({ loses, gains }) => loses || gains)
}

function actionsOf(...sides: readonly Side[]): string[] {
  return [...new Set(sides.flatMap(({ rulings }) => rulings.map(({ action }) => action)))]
}

function print(before: Side, after: Side, edits: readonly string[], terminal: Terminal): void {
  const paint = painter(terminal)
  const { actor, audience } = after.question
  terminal.out(paint('bold', `${entityText(actor.principal)} at ${audience}`))
  for (const edit of edits) terminal.out(`  with ${edit}`)
  terminal.out('')
  const changed = changes(before, after)
  const cell = ({ rulings }: Side, action: string) => {
    const ruling = rulings.find((each) => each.action === action)
    if (ruling === undefined) return 'not asked'
    return [ruling.result, ruling.policies.join(', ')].filter((part) => part !== '').join(': ')
  }
  const rows = actionsOf(before, after).map((action) => {
    const change = changed.find((each) => each.action === action)
    const mark = change === undefined ? '' : change.loses ? 'LOSES' : 'GAINS'
    return [action, cell(before, action), cell(after, action), mark]
  })
  const shown = (ttl: number | null) => (ttl === null ? 'no @ttl' : `${ttl} s`)
  const lifetime = [
    'lifetime',
    shown(before.ttl),
    shown(after.ttl),
    before.ttl === after.ttl ? '' : 'DIFFERS',
  ]
  for (const line of table([['', before.title, after.title, ''], ...rows, lifetime], {
    indent: 2,
  })) {
    const colour = line.endsWith('LOSES') ? 'red' : line.endsWith('GAINS') ? 'green' : null
    terminal.out(colour === null ? line : paint(colour, line))
  }
  terminal.out('')
  if (changed.length === 0) terminal.out('Nothing changes in what is permitted.')
  for (const { action } of changed) {
    for (const side of [before, after]) {
      const lines = about(action, side.lines)
      if (lines.length > 0) terminal.out(paint('bold', `${side.title}:`))
      for (const line of lines) terminal.out(`  ${line}`)
    }
  }
}
