/** `countersign policy check`: every mistake in policies and their tests, at its place. */

import type { PolicySettings, Problem } from '../../policy/settings.ts'
import { coverage, untested } from '../../policy/testing/coverage.ts'
import { loadWithTests } from '../../policytests.ts'
import { renderProblem } from '../../problem.ts'
import { epochSeconds } from '../../units.ts'
import { type Command, parseOptions } from '../command.ts'
import { CONFIG_USAGE, openSite, POLICY_OPTIONS, readFiles } from './sources.ts'

export const command: Command = {
  usage: `usage: countersign policy check [PATH] [--config FILE] [--strict] [--json]

  PATH                a folder or a .cedar file (default: policies.path)
${CONFIG_USAGE}
  --strict            warnings are errors too
  --json              print the problems as one JSON array

Prints one line for each problem, path:line:col: error|warning: text. Silent when there is none.
Red tests are errors; a policy that applies in no test is a warning.`,

  async run(args, terminal) {
    const { values, positionals } = parseOptions(args, {
      options: { ...POLICY_OPTIONS, strict: { type: 'boolean', default: false } },
      allowPositionals: true,
    })
    const { path, settings } = openSite(values, positionals[0], terminal)
    const problems = await policyProblems(path, settings, epochSeconds(terminal.now()))
    if (values.json) terminal.out(JSON.stringify(problems))
    else for (const problem of problems) terminal.out(renderProblem(problem))
    const fatal = problems.some(({ severity }) => severity === 'error' || values.strict === true)
    return fatal ? 1 : 0
  },
}

/**
 * Every problem of policies and of their tests, in reading order.
 *
 * @param at the instant against which `@expires` is held, epoch seconds
 */
export async function policyProblems(
  path: string,
  settings: PolicySettings,
  at: number,
): Promise<readonly Problem[]> {
  const loaded = await loadWithTests(await readFiles(path), settings, { at })
  if ('problems' in loaded) return loaded.problems
  const found = [...loaded.warnings, ...untested(await coverage(loaded.results, loaded.generation))]
  return found.sort(
    (a, b) =>
      (a.path < b.path ? -1 : a.path > b.path ? 1 : 0) || a.line - b.line || a.column - b.column,
  )
}
