/** `countersign token`: the platform's credential in, an access token on standard output. */

import { AgentError, agent, DEFAULT_TOKEN_FILE, kubernetes } from '../agent/index.ts'
import { type Command, parseOptions, required, UsageError } from './command.ts'

export const command: Command = {
  usage: `usage: countersign token --issuer URL --resource URL [options]

  --issuer URL         the broker
  --resource URL       the API or MCP server that the token is for
  --scope SCOPE        a scope; may be repeated
  --source kubernetes  where the credential comes from (default kubernetes)
  --token-file FILE    the projected token (default ${DEFAULT_TOKEN_FILE})
  --json               print the whole token response`,

  async run(args, terminal) {
    const { values } = parseOptions(args, {
      options: {
        issuer: { type: 'string' },
        resource: { type: 'string' },
        scope: { type: 'string', multiple: true },
        source: { type: 'string', default: 'kubernetes' },
        'token-file': { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    })
    if (values.source !== 'kubernetes') {
      throw new UsageError(`--source ${values.source} is not known; there is: kubernetes`)
    }
    const asking = agent({
      issuer: required(values.issuer, '--issuer'),
      resource: required(values.resource, '--resource'),
      scopes: values.scope ?? [],
      source: kubernetes(values['token-file']),
    })
    try {
      const response = await asking.request()
      terminal.out(values.json ? JSON.stringify(response) : response.access_token)
      return 0
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      const id = error.requestId === null ? '' : ` (request ${error.requestId})`
      terminal.note(`countersign token: ${error.code}: ${error.message}${id}`)
      return 1
    }
  },
}
