/** Where SPIRE's programs are. Without them there is nothing to test, and the run fails at once. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Ends the run with one sentence where a stack would hide the reason. */
function cannotRun(reason: string): never {
  process.stderr.write(`test:spire: ${reason}\n`)
  process.exit(1)
}

const PROGRAMS = ['spire-server', 'spire-agent', 'oidc-discovery-provider'] as const
export type Program = (typeof PROGRAMS)[number]

const folder =
  process.env['COUNTERSIGN_SPIRE_BIN'] ||
  cannotRun('COUNTERSIGN_SPIRE_BIN is not set: the folder with SPIRE’s programs')

for (const name of PROGRAMS.filter((candidate) => !existsSync(join(folder, candidate)))) {
  cannotRun(`${join(folder, name)} does not exist`)
}

/** The path of one of SPIRE's programs. */
export function program(name: Program): string {
  return join(folder, name)
}
