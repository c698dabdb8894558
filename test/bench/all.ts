/** `npm run bench -- [--quick] [--json FILE]`: the token endpoint among its peers, then a decision by itself, then evidence of each kind. */

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const args = process.argv.slice(2)
const quick = args.filter((arg) => arg === '--quick')
for (const [script, own] of [
  ['main.ts', args],
  ['policy.ts', quick],
  ['kinds.ts', quick],
] as const) {
  const file = join(import.meta.dirname, script)
  const { status } = spawnSync(process.execPath, [file, ...own], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
