#!/usr/bin/env node
/** `countersign`: argv → one command a file below `cli/`. The only file that touches the process. */

import { type Command, type ExitCode, type Terminal, UsageError } from './cli/command.ts'

type Entry = { readonly summary: string; readonly load: () => Promise<{ command: Command }> }

const COMMANDS: Readonly<Record<string, Entry>> = {
  serve: { summary: 'run the broker', load: () => import('./cli/serve.ts') },
  dev: {
    summary: 'run a broker with a stand-in cluster and sample policies',
    load: () => import('./cli/dev.ts'),
  },
  demo: { summary: 'show the whole job, offline, and exit', load: () => import('./cli/demo.ts') },
  check: { summary: 'check configuration and policies', load: () => import('./cli/check.ts') },
  doctor: { summary: 'find out what is wrong', load: () => import('./cli/doctor.ts') },
  token: {
    summary: 'get a token for this workload and print it',
    load: () => import('./cli/token.ts'),
  },
}

function overview(): string {
  const names = Object.entries(COMMANDS).map(
    ([name, { summary }]) => `  ${name.padEnd(8)}${summary}`,
  )
  return `usage: countersign <command> [options]\n\n${names.join('\n')}\n\ncountersign <command> --help`
}

async function main(argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [name = '', ...args] = argv
  if (name === '--help' || name === 'help') {
    terminal.out(overview())
    return 0
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (entry === undefined) {
    terminal.note(name === '' ? overview() : `countersign: no command '${name}'\n\n${overview()}`)
    return 2
  }
  const { command } = await entry.load()
  if (args.includes('--help')) {
    terminal.out(command.usage)
    return 0
  }
  try {
    return await command.run(args, terminal)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    terminal.note(`countersign ${name}: ${message}`)
    if (!(error instanceof UsageError)) return 1
    terminal.note(`\n${command.usage}`)
    return 2
  }
}

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
