/** `countersign check`: the configuration and its policies, before anybody relies on them. */

import { policySettings } from '../config.ts'
import type { Problem } from '../policy/settings.ts'
import { renderProblem } from '../problem.ts'
import { epochSeconds } from '../units.ts'
import { type Command, parseOptions, type Terminal } from './command.ts'
import { policyProblems } from './policy/check.ts'
import { nearby } from './policy/sources.ts'
import { CONFIG_OPTION, loadFile } from './settings.ts'

export const command: Command = {
  usage: `usage: countersign check [--config FILE] [--strict] [--json]

  --config FILE   the configuration (default countersign.yaml)
  --strict        warnings are errors too
  --json          print the problems as one JSON array

Prints one line for each problem, path:line:col: error|warning: text. Silent when there is none.`,

  async run(args, terminal) {
    const { values } = parseOptions(args, {
      options: {
        ...CONFIG_OPTION,
        strict: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    })
    const problems = await findProblems(values.config, terminal)
    if (values.json) terminal.out(JSON.stringify(problems))
    else for (const problem of problems) terminal.out(renderProblem(problem))
    const fatal = problems.some(({ severity }) => severity === 'error' || values.strict === true)
    return fatal ? 1 : 0
  },
}

/** Every problem of a configuration, and of its policies and their tests once the configuration holds. */
export async function findProblems(
  file: string | undefined,
  { env, now }: Pick<Terminal, 'env' | 'now'>,
): Promise<readonly Problem[]> {
  const loaded = loadFile(file, env)
  if (!('config' in loaded)) return loaded.problems
  const { config, warnings } = loaded
  const at = epochSeconds(now())
  const found = await policyProblems(nearby(config.policies.path), policySettings(config), at)
  return [...warnings, ...found]
}
