/** What a replay found, for a terminal and for a pull request. */

import type { Direction } from '../../policy/replay.ts'
import type { Terminal } from '../command.ts'
import type { Replayed, Side, ToldGroup } from './replay.ts'
import { grouped, painter, plural } from './table.ts'

/** Groups that a person is shown; all of them are in the JSON. */
const SHOWN = 40

/** Prints for people. */
export function printReport(replayed: Replayed, terminal: Terminal): void {
  const paint = painter(terminal)
  for (const line of overview(replayed)) terminal.out(line)
  for (const [direction, title, colour] of [
    ['loses', 'LOSES ACCESS', 'red'],
    ['gains', 'GAINS ACCESS', 'green'],
  ] as const) {
    const groups = replayed.groups.filter((group) => group.direction === direction)
    if (groups.length === 0) continue
    terminal.out('')
    terminal.out(paint(colour, `${title}  ${totals(replayed, direction)}`))
    for (const group of groups.slice(0, SHOWN)) {
      printGroup(group, replayed, terminal)
    }
    if (groups.length > SHOWN)
      terminal.out(`  and ${plural(groups.length - SHOWN, 'more group')}: see --json`)
  }
  terminal.out('')
  terminal.out(conclusion(replayed))
}

function printGroup(group: ToldGroup, replayed: Replayed, terminal: Terminal): void {
  const paint = painter(terminal)
  terminal.out(`  ${paint('bold', group.principal)}`)
  terminal.out(`    ${group.action} at ${group.audience}`)
  terminal.out(`    ${grouped(group.count)} ×: ${because(group, replayed)}`)
  for (const line of group.direction === 'loses' ? group.why : []) terminal.out(`      ${line}`)
  terminal.out(paint('dim', `    ${span(group.first, group.last)}, such as ${group.samples[0]}`))
}

function span(first: string, last: string): string {
  return `${first.replace('.000', '')} to ${last.replace('.000', '')}`
}

/** Prints a comment for a pull request. */
export function printMarkdown(replayed: Replayed, terminal: Terminal): void {
  const { losses, gains } = replayed
  const mark = losses > 0 ? '🔴' : gains > 0 ? '🟡' : '🟢'
  terminal.out(
    `### ${mark} Policy replay: ${grouped(losses)} ${losses === 1 ? 'loss' : 'losses'}, ${plural(gains, 'gain')}`,
  )
  terminal.out('')
  terminal.out(conclusion(replayed))
  const groups = replayed.groups.slice(0, SHOWN)
  if (groups.length > 0) {
    terminal.out('')
    terminal.out('| | who | what | requests | by | when | such as |')
    terminal.out('|---|---|---|--:|---|---|---|')
  }
  for (const group of groups) {
    const cells = [
      group.direction === 'loses' ? '**loses**' : 'gains',
      code(group.principal),
      `${code(group.action)} at ${code(group.audience)}`,
      grouped(group.count),
      cell(because(group, replayed)),
      span(group.first, group.last),
      code(group.samples[0] ?? ''),
    ]
    terminal.out(`| ${cells.join(' | ')} |`)
  }
  const rest = replayed.groups.length - groups.length
  if (rest > 0) terminal.out(`\nand ${plural(rest, 'more group')}`)
  terminal.out('')
  terminal.out('<details><summary>How this was made</summary>\n')
  for (const line of overview(replayed)) terminal.out(`    ${line}`)
  terminal.out('\n</details>')
}

function overview(replayed: Replayed): string[] {
  const { log, candidate, baseline, decided, undecided, malformed, malformedLines } = replayed
  const { from, to } = replayed
  const when = from === null || to === null ? '' : `, ${span(from, to)},`
  const passed = [
    ...(undecided > 0 ? [`${plural(undecided, 'request')} refused before any policy`] : []),
    ...(malformed > 0
      ? [
          `${plural(malformed, 'line')} that cannot be read (line ${malformedLines.join(', ')}${malformed > malformedLines.length ? ', …' : ''})`,
        ]
      : []),
  ]
  return [
    `Replayed ${plural(decided, 'request')} of ${log}${when} in ${replayed.seconds.toFixed(1)} s`,
    `  candidate    ${described(candidate)}`,
    `  compared to  ${baseline === null ? 'what was recorded' : described(baseline)}`,
    ...(passed.length > 0 ? [`  passed over  ${passed.join('; ')}`] : []),
  ]
}

function described({ path, generation }: Side): string {
  return `${path} (${generation.policies.size} policies, generation ${generation.id})`
}

function totals({ losses, gains, groups }: Replayed, direction: Direction): string {
  const count = groups.filter((group) => group.direction === direction).length
  return `${grouped(direction === 'loses' ? losses : gains)} × in ${plural(count, 'group')}`
}

function conclusion({ decided, affected, losses, gains, lifetimes, ungrouped }: Replayed): string {
  const lifetime =
    lifetimes > 0 ? ` ${plural(lifetimes, 'token')} would live for another time.` : ''
  const more = ungrouped > 0 ? ` ${plural(ungrouped, 'flip')} found no room in a group.` : ''
  if (losses + gains === 0)
    return `Nobody loses or gains anything in ${plural(decided, 'request')}.${lifetime}`
  return `${grouped(affected)} of ${plural(decided, 'request')} change; the other ${grouped(decided - affected)} are decided as before.${lifetime}${more}`
}

function because(
  { result, direction, policies }: ToldGroup,
  { candidate, baseline }: Replayed,
): string {
  const named = policies.map((id) => {
    const policy = candidate.generation.policies.get(id) ?? baseline?.generation.policies.get(id)
    if (policy === undefined) return id
    const owner = policy.owner === null ? '' : `, owner ${policy.owner}`
    return `${id} (${policy.path}:${policy.line}${owner})`
  })
  const by = named.join(', ')
  if (direction === 'gains') return `permitted by ${by}`
  switch (result) {
    case 'forbidden':
      return `forbidden by ${by}`
    case 'sender_unmet':
      return `${by} demands a more strongly bound token`
    case 'failed':
      return `cannot be evaluated${by === '' ? '' : `: ${by}`}`
    case 'not_offered':
      return 'the audience no longer offers it'
    default:
      return `no permit matches; it was permitted by ${by}`
  }
}

function code(text: string): string {
  return `\`${cell(text).replaceAll('`', "'")}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
