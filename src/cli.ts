#!/usr/bin/env node
/** `countersign` as a process. The only file that touches it; what the commands do is below `cli/`. */

import { main } from './cli/main.ts'

function stopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => resolve())
  })
}

process.exitCode = await main(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  note: (line) => process.stderr.write(`${line}\n`),
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  colour: process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined,
  stopped,
  now: Date.now,
})
