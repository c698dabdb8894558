/** `countersign policy …`: the laboratory for access conditions. One command a file below `policy/`. */

import { didYouMean } from '../suggest.ts'
import { type Command, UsageError } from './command.ts'

type Entry = { readonly summary: string; readonly load: () => Promise<{ command: Command }> }

const COMMANDS: Readonly<Record<string, Entry>> = {
  check: { summary: 'find every mistake, red tests too', load: () => import('./policy/check.ts') },
  test: { summary: 'run the tests, show what they cover', load: () => import('./policy/test.ts') },
  explain: {
    summary: 'say why a request was decided so',
    load: () => import('./policy/explain.ts'),
  },
  'what-if': {
    summary: 'decide one request otherwise: edited, or under other policies',
    load: () => import('./policy/whatif.ts'),
  },
  replay: {
    summary: 'show who would lose or gain access under other policies',
    load: () => import('./policy/replay.ts'),
  },
  fmt: { summary: 'lay policies out, comments kept', load: () => import('./policy/fmt.ts') },
  schema: { summary: 'print the schema, for editors', load: () => import('./policy/schema.ts') },
  render: {
    summary: 'wrap policies into custom resources of Kubernetes',
    load: () => import('./policy/render.ts'),
  },
}

const names = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(9)}${summary}`)
const OVERVIEW = `usage: countersign policy <command> [options]

${names.join('\n')}

countersign policy <command> --help`

/** The command that the first argument names; the overview for any other, and without one. */
export async function choose(args: readonly string[]): Promise<{ command: Command }> {
  const [name = ''] = args
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (entry === undefined) return { command: overview(name) }
  const { command } = await entry.load()
  return {
    command: {
      usage: command.usage,
      run(all, terminal) {
        if (terminal.stdout.listenerCount('error') === 0) terminal.stdout.on('error', unlessClosed)
        return command.run(all.slice(1), terminal)
      },
    },
  }
}

/** Whoever reads may have read enough: `countersign policy replay … | head`. */
function unlessClosed(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}

function overview(name: string): Command {
  return {
    usage: OVERVIEW,
    async run() {
      const hint = didYouMean(name, Object.keys(COMMANDS))
      throw new UsageError(name === '' ? 'say what to do' : `no command '${name}'${hint}`)
    },
  }
}
