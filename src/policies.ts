/** Keeps the Generation that decides: loads it, watches its files, and swaps it whole when a better one loads. */

import { type FSWatcher, readdirSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { Generation } from './policy/generation.ts'
import { type Loader, loader } from './policy/load.ts'
import type { PolicySettings, Problem, SourceFile } from './policy/settings.ts'
import { type LoadedWithTests, loadWithTests } from './policytests.ts'
import { renderProblem } from './problem.ts'
import { type Detail, Refusal } from './refusal.ts'
import { snapshot } from './snapshot.ts'
import { epochSeconds } from './units.ts'

/** The policies of a running broker. */
export interface Policies {
  /** The generation that decides now. Take it once for each request. */
  current(): Generation
  /**
   * The generation to decide a request with.
   * @throws Refusal `policies_stale` when the sets after it have been refused for too long
   */
  inForce(): Generation
  status(): PolicyStatus
  /**
   * Reads the files again and loads them if they changed. Calls during a reload share the one after it.
   *
   * @returns the problems of a set that was refused, while the old one stays; else warnings
   */
  reload(): Promise<readonly Problem[]>
  /** Reloads by itself from now on whenever the files change. */
  watch(): void
  close(): void
}

/** What an operator sees of the policies. */
export type PolicyStatus = {
  readonly generation: string
  /** Milliseconds since the epoch. */
  readonly loadedAt: number
  /** Seconds since then. */
  readonly ageSeconds: number
  readonly policies: number
  /** The problems of the last set, when it was refused; null when the last set is the one that decides. */
  readonly failing: readonly Problem[] | null
  /** When the first of the sets that were refused since then was, milliseconds; null for none. */
  readonly failingSince: number | null
  /** How many sets were refused since the start. */
  readonly failures: number
}

/** What the keeper needs. */
export type PoliciesOptions = {
  /** A file, or a folder read recursively. */
  readonly path: string
  readonly settings: PolicySettings
  readonly warn: (detail: Detail, sentence: string) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** How often files are looked at, whether or not the system reported a change, milliseconds. */
  readonly pollEvery?: number
  /** How long a generation decides while newer sets are refused; for ever by default. */
  readonly maxStaleSeconds?: number | null
}

/** A set of policies that does not load. The message lists every problem, one a line. */
export class PoliciesRefused extends Error {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super(['The policies do not load.', ...problems.map(renderProblem)].join('\n'))
    this.name = 'PoliciesRefused'
    this.problems = problems
  }
}

const POLL_EVERY = 30_000
/** Editors and ConfigMap swaps touch several files at once, milliseconds. */
const SETTLE = 200

/**
 * Loads the policies and keeps them.
 *
 * @throws PoliciesRefused where the first set has errors; Error where its files cannot be read
 */
export async function keepPolicies(options: PoliciesOptions): Promise<Policies> {
  const { path, settings, now } = options
  const files = await snapshot(path, { tests: true })
  const keep = loader(settings)
  const first = await loadWithTests(files, settings, { keep, at: epochSeconds(now()) })
  if ('problems' in first) throw new PoliciesRefused(first.problems)
  warnOf(first.warnings, options)
  return keeper(options, keep, files, { generation: first.generation, loadedAt: now() })
}

type Deciding = { readonly generation: Generation; readonly loadedAt: number }

function keeper(
  options: PoliciesOptions,
  keep: Loader,
  first: readonly SourceFile[],
  initial: Deciding,
): Policies {
  let deciding = initial
  let seen: Seen = first
  let failing: readonly Problem[] | null = null
  let failingSince: number | null = null
  let failures = 0
  let running: Promise<readonly Problem[]> | null = null
  let following: Promise<readonly Problem[]> | null = null
  let stopWatching: (() => void) | null = null

  const attempt = async (): Promise<readonly Problem[]> => {
    const found = await read(options, keep, seen)
    if (found === null) return failing ?? []
    seen = found.seen
    if ('generation' in found.loaded) {
      const { generation, warnings } = found.loaded
      deciding = { generation, loadedAt: options.now() }
      failing = null
      failingSince = null
      warnOf(warnings, options)
      return warnings
    }
    failing = found.loaded.problems
    failingSince ??= options.now()
    failures++
    options.warn(
      { generation: deciding.generation.id, problems: failing.map(renderProblem) },
      'The changed policies were refused; the policies from before keep deciding.',
    )
    return failing
  }

  const start = (): Promise<readonly Problem[]> => {
    following = null
    running = attempt().finally(() => {
      running = null
    })
    return running
  }

  // One at a time. Whoever asks during a run waits for the next: this one may have read too early.
  const reload = (): Promise<readonly Problem[]> => {
    if (running === null) return start()
    following ??= running.then(start, start)
    return following
  }

  return {
    current: () => deciding.generation,
    inForce() {
      const { maxStaleSeconds: limit = null } = options
      const stale = failingSince === null ? 0 : epochSeconds(options.now() - failingSince)
      if (limit !== null && stale > limit) {
        throw new Refusal('policies_stale', { failingForSeconds: stale, limit })
      }
      return deciding.generation
    },
    status: () => ({
      generation: deciding.generation.id,
      loadedAt: deciding.loadedAt,
      ageSeconds: epochSeconds(options.now() - deciding.loadedAt),
      policies: deciding.generation.policies.size,
      failing,
      failingSince,
      failures,
    }),
    reload,
    watch: () => {
      stopWatching ??= watchFiles(options, () => void reload())
    },
    close: () => {
      stopWatching?.()
      stopWatching = null
    },
  }
}

/** The last set that was looked at: its files, or why they could not be read. */
type Seen = readonly SourceFile[] | string

/** Reads and loads; null when nothing changed since `seen`. Never rejects: a failure is a problem. */
async function read(
  { path, settings, now }: PoliciesOptions,
  keep: Loader,
  seen: Seen,
): Promise<{ seen: Seen; loaded: LoadedWithTests } | null> {
  try {
    const files = await snapshot(path, { tests: true })
    if (same(files, seen)) return null
    const loaded = await loadWithTests(files, settings, { keep, at: epochSeconds(now()) })
    return { seen: files, loaded }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (message === seen) return null
    const problem: Problem = { path, line: 1, column: 1, severity: 'error', message }
    return { seen: message, loaded: { problems: [problem], results: [] } }
  }
}

/** File by file: no copy is made of what may be megabytes. */
function same(files: readonly SourceFile[], seen: Seen): boolean {
  if (typeof seen === 'string' || files.length !== seen.length) return false
  return files.every(({ path, text }, at) => path === seen[at]?.path && text === seen[at].text)
}

function warnOf(warnings: readonly Problem[], { warn }: PoliciesOptions): void {
  if (warnings.length > 0)
    warn({ problems: warnings.map(renderProblem) }, 'Policies have warnings.')
}

/** Calls `changed` some time after the files changed. Keeps no process alive. */
function watchFiles(
  { path, pollEvery = POLL_EVERY }: PoliciesOptions,
  changed: () => void,
): () => void {
  let settling: NodeJS.Timeout | undefined
  const settle = () => {
    clearTimeout(settling)
    settling = setTimeout(changed, SETTLE).unref()
  }
  // Some file systems report nothing, and a watched folder may be replaced: so files are polled as well.
  const poll = setInterval(changed, pollEvery).unref()
  const watchers = foldersOf(path).map((folder) => watchQuietly(folder, settle))
  return () => {
    clearTimeout(settling)
    clearInterval(poll)
    for (const watcher of watchers) watcher?.close()
  }
}

/**
 * The folder and those in it, such as the mounted ConfigMaps of the chart; what is deeper is polled. Not by Node's own
 * recursive watching: it ends the process when the kubelet makes a folder that is not ours to read yet.
 */
function foldersOf(path: string): readonly string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true })
    const below = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    return [path, ...below.map(({ name }) => join(path, name))]
  } catch {
    return [path]
  }
}

function watchQuietly(path: string, changed: () => void): FSWatcher | null {
  try {
    const watcher = watch(path, { persistent: false }, changed)
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return null
  }
}
