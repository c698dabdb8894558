/** Reading `countersign.yaml` for every command that needs it. */

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Config, type Loaded, loadConfig } from '../config.ts'
import { renderProblem } from '../problem.ts'
import { required, type Terminal } from './command.ts'

/** The `--config` option, as `parseOptions` takes it. */
export const CONFIG_OPTION = { config: { type: 'string', default: 'countersign.yaml' } } as const

/** Loads the file and reports nothing. @throws Error when it cannot be read */
export function loadFile(file: string | undefined, env: Terminal['env']): Loaded {
  const path = required(file, '--config')
  let source: Uint8Array
  try {
    source = readFileSync(path)
  } catch (cause) {
    throw new Error(`cannot read the configuration ${path}: ${(cause as Error).message}`, { cause })
  }
  return loadConfig(source, {
    path,
    env,
    readFile: (name) => readFileSync(name, 'utf8'),
    baseDir: dirname(resolve(path)),
  })
}

/**
 * Loads the file and prints every problem.
 * @returns null when there is an error in it
 */
export function readSettings(file: string | undefined, terminal: Terminal): Config | null {
  const loaded = loadFile(file, terminal.env)
  const problems = 'config' in loaded ? loaded.warnings : loaded.problems
  for (const problem of problems) terminal.note(renderProblem(problem))
  return 'config' in loaded ? loaded.config : null
}
