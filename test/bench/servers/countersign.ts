/** Our broker, composed as `countersign serve` does: two listeners, a store, and an audit that goes to a real file. */

import { packagePath } from '../../../src/cli/playground.ts'
import { run } from '../../../src/cli/run.ts'
import { loadConfig } from '../../../src/config.ts'
import { renderProblem } from '../../../src/problem.ts'
import { serve } from '../serve.ts'

/** What a variant of the broker is started with. */
export type BrokerSettings = {
  readonly issuer: string
  readonly resource: string
  /** `iss` of the cluster's tokens; its keys are read from there. */
  readonly cluster: string
  /** A file, or `:memory:`. */
  readonly sqlite: string
  readonly audit: string
  /** A folder of policies, relative to the package. */
  readonly policies: string
  readonly format: 'jwt' | 'opaque'
}

await serve<BrokerSettings>(async (settings) => {
  const loaded = loadConfig(yamlOf(settings), {
    path: 'bench.yaml',
    env: {},
    readFile: () => '',
    baseDir: '/',
  })
  if ('problems' in loaded) throw new Error(loaded.problems.map(renderProblem).join('\n'))
  const { publicUrl, adminUrl } = await run(loaded.config, {
    now: Date.now,
    auditStream: process.stdout,
    logStream: process.stderr,
  })
  return { url: publicUrl, adminUrl }
})

function yamlOf(settings: BrokerSettings): string {
  // The issuer is a name: behind a proxy it is not where the broker listens, so the port may be any that is free.
  return `
issuer: ${settings.issuer}
listen: { host: 127.0.0.1, port: 0 }
admin: { port: 0 }
store: { sqlite: ${JSON.stringify(settings.sqlite)} }
audit: { file: ${JSON.stringify(settings.audit)} }
trust:
  - kubernetes:
      cluster: prod-eu
      issuer: ${settings.cluster}
      environment: production
      jwks: { discovery: true, allowPrivate: true }
resources:
  - audience: ${settings.resource}
    scopes: [trades:read, trades:write]
    format: ${settings.format}
    claims: { pod: { fact: pod.uid, grade: A } }
policies:
  path: ${JSON.stringify(packagePath(settings.policies))}
  zones: [Europe/Berlin]
  calendars:
    change-freeze: { dates: [2026-12-24..2027-01-02], zone: Europe/Berlin }
`
}
