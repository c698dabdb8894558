/** What a command is, and the terminal it speaks to. */

import { type ParseArgsConfig, parseArgs } from 'node:util'

/** 0 done, 1 refused or problems found, 2 wrong usage. */
export type ExitCode = 0 | 1 | 2

/** The process as a command sees it. Results go to `out`, all else to `note`. */
export type Terminal = {
  out(line: string): void
  note(line: string): void
  /** Standard output as a stream, for the audit log. */
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether a person reads `out` on a terminal that shows colours. */
  readonly colour: boolean
  /** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
  stopped(): Promise<void>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** One command of the CLI. */
export type Command = {
  /** The usage text, with every option. */
  readonly usage: string
  /** @throws UsageError for arguments that make no sense */
  run(args: readonly string[], terminal: Terminal): Promise<ExitCode>
}

/** The arguments make no sense: exit code 2 and the usage. */
export class UsageError extends Error {}

/**
 * Parses a command's options strictly.
 *
 * @throws UsageError naming the option that is unknown or lacks its value
 */
export function parseOptions<const Config extends ParseArgsConfig>(
  args: readonly string[],
  config: Config,
) {
  try {
    return parseArgs<Config & { args: string[]; strict: true }>({
      ...config,
      args: [...args],
      strict: true,
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** @throws UsageError when a required option is missing */
export function required(value: string | undefined, option: string): string {
  if (value === undefined || value === '') throw new UsageError(`${option} is required`)
  return value
}
