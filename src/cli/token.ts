/** `countersign token`: the platform's credential in, an access token on standard output. */

import { AgentError, agent } from '../agent/index.ts'
import { type Command, parseOptions, required } from './command.ts'
import { detected, SOURCES_USAGE, sourceOf } from './sources.ts'

export const command: Command = {
  usage: `usage: countersign token --issuer URL --resource URL [options]

  --issuer URL         the broker
  --resource URL       the API or MCP server that the token is for
  --scope SCOPE        a scope; may be repeated
  --source NAME        where the credential comes from (default: the first of these that shows itself)
${SOURCES_USAGE}
  --audience A         for whom the credential is asked (default: the issuer)
  --token-file FILE    a projected token
  --json               print the whole token response`,

  async run(args, terminal) {
    const { values } = parseOptions(args, {
      options: {
        issuer: { type: 'string' },
        resource: { type: 'string' },
        scope: { type: 'string', multiple: true },
        source: { type: 'string' },
        audience: { type: 'string' },
        'token-file': { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    })
    const issuer = required(values.issuer, '--issuer')
    const wanted = {
      issuer,
      audience: values.audience ?? issuer,
      tokenFile: values['token-file'],
      env: terminal.env,
    }
    const asking = agent({
      issuer,
      resource: required(values.resource, '--resource'),
      scopes: values.scope ?? [],
      source: sourceOf(values.source ?? detected(wanted), wanted),
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
