/** The table of commands, and how one is chosen and run. Knows no process: that is `src/cli.ts`. */

import { type Command, type ExitCode, type Terminal, UsageError } from './command.ts'

type Entry = {
  readonly summary: string
  readonly load: (args: readonly string[]) => Promise<{ command: Command }>
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  serve: { summary: 'run the broker', load: () => import('./serve.ts') },
  dev: {
    summary: 'run a broker with a stand-in cluster and sample policies',
    load: () => import('./dev.ts'),
  },
  demo: { summary: 'show the whole job, offline, and exit', load: () => import('./demo.ts') },
  check: { summary: 'check configuration and policies', load: () => import('./check.ts') },
  policy: {
    summary: 'test, explain and predict access conditions',
    load: async (args) => (await import('./policy.ts')).choose(args),
  },
  keys: {
    summary: 'list, rotate and export the signing keys',
    load: () => import('./keys.ts'),
  },
  revoke: {
    summary: 'take tokens, parties, trust entries or evidence out of use',
    load: () => import('./revoke.ts'),
  },
  doctor: { summary: 'find out what is wrong', load: () => import('./doctor.ts') },
  probe: {
    summary: 'ask a running broker, to see that it issues and that it refuses',
    load: () => import('./probe.ts'),
  },
  token: {
    summary: 'get a token for this workload and print it',
    load: () => import('./token.ts'),
  },
}

function overview(): string {
  const names = Object.entries(COMMANDS).map(
    ([name, { summary }]) => `  ${name.padEnd(8)}${summary}`,
  )
  return `usage: countersign <command> [options]\n\n${names.join('\n')}\n\ncountersign <command> --help`
}

/**
 * Runs one command line.
 * @returns the exit code: 0 done, 1 refused or problems found, 2 wrong usage
 */
export async function main(argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
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
  const { command } = await entry.load(args)
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
