/** `countersign policy schema`: what policies may speak of in this installation. */

import { openCedar } from '../../policy/cedar.ts'
import { schema } from '../../policy/schema.ts'
import { type Command, parseOptions } from '../command.ts'
import { openSite, POLICY_OPTIONS } from './sources.ts'

export const command: Command = {
  usage: `usage: countersign policy schema [--config FILE] [--json]

  --config FILE   the configuration (default countersign.yaml)
  --json          Cedar's JSON form of the schema

Prints the Cedar schema: principals and their facts with grade, scopes, zones, calendars.
For VS Code (cedar-policy.vscode-cedar): countersign policy schema > .cedar/schema.cedarschema`,

  async run(args, terminal) {
    const { values } = parseOptions(args, { options: POLICY_OPTIONS })
    const text = schema(openSite(values, undefined, terminal).settings)
    if (!values.json) {
      terminal.out(text.trimEnd())
      return 0
    }
    const answer = openCedar().schemaToJson(text)
    if (answer.type === 'failure') throw new Error(answer.errors.map((e) => e.message).join('; '))
    terminal.out(JSON.stringify(answer.json))
    return 0
  },
}
