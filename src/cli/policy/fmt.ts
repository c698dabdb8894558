/** `countersign policy fmt`: one layout for everybody's policies. */

import { writeFileSync } from 'node:fs'
import { createFormatter } from '../../policy/format.ts'
import type { Problem } from '../../policy/settings.ts'
import { renderProblem } from '../../problem.ts'
import { snapshot } from '../../snapshot.ts'
import { type Command, parseOptions } from '../command.ts'
import { CONFIG_USAGE, openSite, POLICY_OPTIONS } from './sources.ts'

export const command: Command = {
  usage: `usage: countersign policy fmt [PATH] [--check] [--config FILE] [--json]

  PATH                a folder or a .cedar file (default: policies.path)
  --check             write nothing; exit 1 when a file is not in its layout
${CONFIG_USAGE}
  --json              print what was done as JSON

Comments survive. A file is left alone unless its text in the new layout means exactly the same.`,

  async run(args, terminal) {
    const { values, positionals } = parseOptions(args, {
      options: { ...POLICY_OPTIONS, check: { type: 'boolean', default: false } },
      allowPositionals: true,
    })
    const path = positionals[0] ?? openSite(values, undefined, terminal).path
    const format = createFormatter()
    const changed: string[] = []
    const problems: Problem[] = []
    for (const file of await snapshot(path)) {
      const formatted = format(file)
      if ('fault' in formatted) {
        const message = `left as it is: ${formatted.fault}`
        problems.push({ path: file.path, line: 1, column: 1, severity: 'error', message })
      } else if (formatted.text !== file.text) {
        changed.push(file.path)
        if (!values.check) writeFileSync(file.path, formatted.text)
      }
    }
    if (values.json) terminal.out(JSON.stringify({ changed, problems }))
    else for (const name of changed) terminal.out(name)
    for (const problem of problems) terminal.note(renderProblem(problem))
    return problems.length > 0 || (values.check && changed.length > 0) ? 1 : 0
  },
}
