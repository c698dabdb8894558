/**
 * `countersign probe`: asks a running broker as a workload would, once to see that it issues and once to see that it
 * refuses. `helm test` runs both, each in a pod of its own.
 */

import { readFileSync } from 'node:fs'
import { DEFAULT_TOKEN_FILE } from '../agent/index.ts'
import { type Command, parseOptions, required, type Terminal, UsageError } from './command.ts'
import { caller } from './probe/caller.ts'
import { probeIssue } from './probe/issue.ts'
import { probeRefusals } from './probe/refuse.ts'
import type { Check } from './probe/report.ts'

const OPTIONS = {
  issuer: { type: 'string' },
  resource: { type: 'string' },
  scope: { type: 'string' },
  expect: { type: 'string', default: 'issue' },
  'token-file': { type: 'string', default: DEFAULT_TOKEN_FILE },
  'foreign-token-file': { type: 'string' },
  'unpermitted-scope': { type: 'string' },
  connect: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

export const command: Command = {
  usage: `usage: countersign probe --issuer URL --resource URL --scope SCOPE [options]

  --issuer URL                the broker
  --resource URL              a resource that it serves
  --scope SCOPE               a scope that the resource offers
  --expect issue|refuse       issue: this workload has a permit, and gets exactly that (default)
                              refuse: it has none, and everything that must be refused is refused
  --token-file FILE           this workload's token (default ${DEFAULT_TOKEN_FILE})
  --foreign-token-file FILE   refuse: a token of it for another audience
  --unpermitted-scope SCOPE   issue: a scope that is offered and that no policy permits
  --connect HOST:PORT         connect there in place of the issuer's host; the certificate is still the issuer's
  --json                      print the checks as one JSON array

One line a check; exit code 1 when any of them failed. A private authority: NODE_EXTRA_CA_CERTS.`,

  async run(args, terminal) {
    const { values } = parseOptions(args, { options: OPTIONS })
    const { expect, connect = null, 'foreign-token-file': foreignFile } = values
    if (expect !== 'issue' && expect !== 'refuse') {
      throw new UsageError(`--expect ${expect} is not known; there are: issue, refuse`)
    }
    if (connect !== null && !/^.+:\d+$/.test(connect)) {
      throw new UsageError(`--connect ${connect} is not HOST:PORT`)
    }
    const issuer = required(values.issuer, '--issuer')
    if (!/^https?:$/.test(URL.parse(issuer)?.protocol ?? '')) {
      throw new UsageError(`--issuer ${issuer} is not a URL`)
    }
    const options = {
      issuer,
      call: caller(issuer, connect),
      resource: required(values.resource, '--resource'),
      scope: required(values.scope, '--scope'),
      token: readToken(values['token-file']),
    }
    const checks =
      expect === 'issue'
        ? await probeIssue({
            ...options,
            unpermitted: values['unpermitted-scope'] ?? null,
            now: terminal.now,
          })
        : await probeRefusals({
            ...options,
            foreign: foreignFile === undefined ? null : readToken(foreignFile),
          })
    print(checks, values.json, terminal)
    return checks.every(({ ok }) => ok) ? 0 : 1
  },
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new Error(`cannot read the token ${file}: ${(cause as Error).message}`, { cause })
  }
}

function print(checks: readonly Check[], json: boolean, terminal: Terminal): void {
  if (json) {
    terminal.out(JSON.stringify(checks))
    return
  }
  for (const { name, ok, found } of checks) {
    terminal.out(`${ok ? 'ok' : 'WRONG'}${ok ? '     ' : '  '}${name}: ${found}`)
  }
  const wrong = checks.filter(({ ok }) => !ok).length
  terminal.out(
    wrong === 0 ? `all ${checks.length} hold` : `${wrong} of ${checks.length} do not hold`,
  )
}
