/** `countersign dev`: a broker with a stand-in cluster and sample policies, and commands to paste. */

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { epochSeconds } from '../units.ts'
import { type Command, parseOptions, UsageError } from './command.ts'
import { type Playground, playground, SAMPLE_RESOURCE } from './playground.ts'
import { freePorts } from './ports.ts'

const DEFAULT_PORT = '8080'
const LIFETIME_SECONDS = 600
/** As a kubelet does: the file is replaced long before the token in it ends. */
const RENEW_MS = 60_000

export const command: Command = {
  usage: `usage: countersign dev [--port N]

  --port N   of the token endpoint (default ${DEFAULT_PORT}; 0 takes a free one)

Everything is in memory and gone when it ends. Audit events go to standard output.`,

  async run(args, terminal) {
    const { values } = parseOptions(args, {
      options: { port: { type: 'string', default: DEFAULT_PORT } },
    })
    const wanted = portOf(values.port)
    const [free = 0, adminPort = 0] = await freePorts(2)
    const stopped = terminal.stopped()
    const ground = await playground({
      policies: 'examples/first-steps',
      port: wanted === 0 ? free : wanted,
      adminPort,
      now: terminal.now,
      auditStream: terminal.stdout,
      logStream: terminal.stderr,
    })
    const folder = mkdtempSync(join(tmpdir(), 'countersign-dev-'))
    const file = join(folder, 'token')
    const mount = () => project(ground, file, epochSeconds(terminal.now()))
    mount()
    const renewal = setInterval(mount, RENEW_MS)
    for (const line of introduction(ground, file)) terminal.out(line)
    await stopped
    clearInterval(renewal)
    rmSync(folder, { recursive: true, force: true })
    await ground.close()
    return 0
  },
}

function portOf(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535) throw new UsageError(`--port ${text} is not a port`)
  return port
}

/** Writes the token of a pod as a kubelet does: whole, readable by its owner alone, replaced at once. */
function project({ issuer, cluster }: Playground, file: string, issuedAt: number): void {
  const pod = { namespace: 'payments', serviceAccount: 'settlement' }
  const token = cluster.token(pod, { audience: issuer, issuedAt, lifetime: LIFETIME_SECONDS })
  writeFileSync(`${file}.new`, token, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

function introduction(
  { issuer, running, policiesPath }: Playground,
  file: string,
): readonly string[] {
  return [
    `broker     ${issuer}`,
    `admin      ${running.adminUrl}   (/metrics, /decisions/{id})`,
    `policies   ${policiesPath}   (edit them: they are reloaded)`,
    `pod        payments/settlement of cluster prod-eu, its projected token in ${file}`,
    '',
    'A token for it, with the standard tools:',
    '',
    `curl -s ${issuer}/token -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer` +
      ` --data-urlencode assertion@${file} -d resource=${SAMPLE_RESOURCE} -d scope=trades:read`,
    '',
    'with ours:',
    '',
    `countersign token --issuer ${issuer} --resource ${SAMPLE_RESOURCE} --scope trades:read --token-file ${file}`,
    '',
    'and what is refused (trades:write needs another policy), then why:',
    '',
    `countersign token --issuer ${issuer} --resource ${SAMPLE_RESOURCE} --scope trades:write --token-file ${file}`,
    '',
  ]
}
