/** What the commands of `countersign policy` start from: a configuration, and policies that it fits. */

import { existsSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { type Config, policySettings } from '../../config.ts'
import { PoliciesRefused } from '../../policies.ts'
import type { Generation } from '../../policy/generation.ts'
import { load } from '../../policy/load.ts'
import type { PolicySettings, SourceFile } from '../../policy/settings.ts'
import { apart } from '../../policytests.ts'
import { renderProblem } from '../../problem.ts'
import { snapshot } from '../../snapshot.ts'
import type { Terminal } from '../command.ts'
import { loadFile } from '../settings.ts'

/** Options of every command here. */
export const POLICY_OPTIONS = {
  config: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

/** How usages describe them. */
export const CONFIG_USAGE =
  '  --config FILE       the configuration (default: countersign.yaml in PATH, else here)'

/** A configuration and where its policies are. */
export type Site = {
  readonly config: Config
  readonly settings: PolicySettings
  /** The policies that the command is about, as a person would write it. */
  readonly path: string
}

/**
 * Reads the configuration. An example folder has its own, which is used when the folder is named.
 *
 * @param path policies other than those of the configuration
 * @throws Error listing every problem
 */
export function openSite(
  { config: file }: { readonly config?: string | undefined },
  path: string | undefined,
  terminal: Terminal,
): Site {
  const own = path === undefined ? undefined : join(path, 'countersign.yaml')
  const chosen = file ?? (own !== undefined && existsSync(own) ? own : 'countersign.yaml')
  const loaded = loadFile(chosen, terminal.env)
  if (!('config' in loaded)) {
    throw new Error(
      ['the configuration has errors.', ...loaded.problems.map(renderProblem)].join('\n'),
    )
  }
  for (const warning of loaded.warnings) terminal.note(renderProblem(warning))
  const { config } = loaded
  return {
    config,
    settings: policySettings(config),
    path: path ?? nearby(config.policies.path),
  }
}

/** Below the working directory a path is shown from there, as a person would write it. */
export function nearby(path: string): string {
  const from = relative('', path)
  return from === '' ? '.' : from.startsWith('..') ? path : from
}

/** Policies with the tests beside them, from one moment. */
export function readFiles(path: string): Promise<SourceFile[]> {
  return snapshot(path, { tests: true })
}

/**
 * Policies to decide with, tests aside: a lab may look at what its tests refuse.
 *
 * @throws PoliciesRefused
 */
export async function readGeneration(path: string, settings: PolicySettings): Promise<Generation> {
  const loaded = await load(apart(await readFiles(path)).policies, settings)
  if (!('generation' in loaded)) throw new PoliciesRefused(loaded.problems)
  return loaded.generation
}

/** Whether a path is a folder. @throws Error when there is nothing */
export function isFolder(path: string): boolean {
  return statSync(path).isDirectory()
}
