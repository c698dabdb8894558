/** `countersign token`: the platform's credential in, an access token on standard output. */

import { AgentError, agent, certificateFiles, keyFile, subjectFile } from '../agent/index.ts'
import { type Command, parseOptions, required, UsageError } from './command.ts'
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
  --subject-token-file FILE  act for whom this token is about (RFC 8693); with --subject-token-type
  --subject-token-type TYPE  id_token or access_token of a person's provider, access_token of the broker's own
  --may-act URI        the workload that may go on from this token, such as k8s://prod-eu/ns/agents/sa/helper
  --dpop               bind the token to a key (RFC 9449): whoever uses it has to prove that key
  --key-file FILE      the key for --dpop; made on first use, readable by its owner alone
  --cert FILE          show this certificate, which the token is bound to (RFC 8705); with --key
  --key FILE           its private key
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
        'subject-token-file': { type: 'string' },
        'subject-token-type': { type: 'string' },
        'may-act': { type: 'string' },
        dpop: { type: 'boolean', default: false },
        'key-file': { type: 'string' },
        cert: { type: 'string' },
        key: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    })
    const issuer = required(values.issuer, '--issuer')
    const certificate = certificateOf(values.cert, values.key)
    const wanted = {
      issuer,
      certificate,
      audience: values.audience ?? issuer,
      tokenFile: values['token-file'],
      env: terminal.env,
    }
    const resource = required(values.resource, '--resource')
    const source = sourceOf(values.source ?? detected(wanted), wanted)
    const { now } = terminal
    const subject = subjectOf(values['subject-token-file'], values['subject-token-type'])
    const mayAct = values['may-act']
    const asked = { issuer, resource, scopes: values.scope ?? [], source, now }
    const behalf = {
      ...(subject !== null && { subject }),
      ...(mayAct !== undefined && { mayAct }),
    }
    const path = keyPath(values.dpop, values['key-file'])
    try {
      const bound = {
        ...(path !== null && { dpop: keyFile(path) }),
        ...(certificate !== null && { certificate }),
      }
      const response = await agent({ ...asked, ...behalf, ...bound }).request()
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

/** @returns null where none is shown @throws UsageError for one file without the other */
function certificateOf(cert: string | undefined, key: string | undefined) {
  if (cert === undefined && key === undefined) return null
  return certificateFiles(required(cert, '--cert'), required(key, '--key'))
}

/** @returns null for a workload that asks for itself @throws UsageError for one option without the other */
function subjectOf(file: string | undefined, type: string | undefined) {
  if (file === undefined && type === undefined) return null
  const path = required(file, '--subject-token-file (with --subject-token-type)')
  return subjectFile(path, required(type, '--subject-token-type (with --subject-token-file)'))
}

/**
 * Where the key is; null for a bearer token. A key in memory would end with this command, and the token with it.
 * @throws UsageError
 */
function keyPath(dpop: boolean, file: string | undefined): string | null {
  if (dpop) return required(file, '--key-file (with --dpop)')
  if (file !== undefined) throw new UsageError('--key-file has a meaning only with --dpop')
  return null
}
