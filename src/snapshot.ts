/** Reads policy files as one consistent set, also while someone is replacing them. */

import type { Stats } from 'node:fs'
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import type { SourceFile } from './policy/settings.ts'

const EXTENSION = '.cedar'
const TEST_EXTENSION = '.test.yaml'
const MAX_FILE_BYTES = 1024 * 1024
const MAX_TOTAL_BYTES = 64 * MAX_FILE_BYTES
const MAX_FILES = 10_000
const MAX_FOLDERS = 10_000
/** How often a set that changes while it is read is read again. */
const ATTEMPTS = 5

/**
 * Reads every `*.cedar` file at or below a path, sorted by path. Hidden entries are skipped.
 *
 * Kubernetes replaces a mounted ConfigMap by swapping the symbolic link `..data`: it is resolved once, so
 * that all files come from the same side of the swap. Elsewhere the files are listed again after reading,
 * and read again when anything changed.
 *
 * @param path a file or a folder; problems are reported below it, as the operator knows it
 * @param options `tests`: also the `*.test.yaml` beside them, from the same moment
 * @throws Error for a missing path, an oversized file, too many files, or files that never stand still
 */
export async function snapshot(path: string, { tests = false } = {}): Promise<SourceFile[]> {
  let vanished: unknown
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const root = await resolve(path)
    try {
      const before = await list(root, tests)
      const files = await readAll(before, root, path)
      const after = await list(root, tests)
      if (fingerprint(before) === fingerprint(after)) return files
    } catch (error) {
      // The swap deletes what it replaces: what vanished under our hands is looked for anew.
      if (!isMissing(error)) throw error
      vanished = error
    }
  }
  const message = vanished
    ? `A policy file in ${path} cannot be found: is it a broken link?`
    : `The policy files in ${path} keep changing while they are read.`
  throw new Error(message, { cause: vanished })
}

/** The folder to read: behind `..data` where there is one, with every link on the way resolved. */
async function resolve(path: string): Promise<string> {
  try {
    const root = await realpath(path)
    return await realpath(join(root, '..data')).catch(() => root)
  } catch (error) {
    if (!isMissing(error)) throw error
    throw new Error(`There is no policy file or folder at ${path}.`, { cause: error })
  }
}

/** Where an entry leads; null for a link to itself that does not claim to be a policy. */
async function follow(shown: string): Promise<string | null> {
  try {
    return await realpath(shown)
  } catch (error) {
    if (codeOf(error) !== 'ELOOP') throw error
    if (!shown.endsWith(EXTENSION)) return null
    throw new Error(`The policy file ${shown} is a link to itself.`, { cause: error })
  }
}

type Entry = { readonly real: string; readonly shown: string; readonly info: Stats }

async function list(root: string, tests: boolean): Promise<Entry[]> {
  const found: Entry[] = []
  const visited = new Set<string>()
  const enter = async (real: string, shown: string): Promise<void> => {
    // A link that leads back, or to a folder already read, adds nothing.
    if (visited.has(real)) return
    visited.add(real)
    if (visited.size > MAX_FOLDERS) throw new Error(`More than ${MAX_FOLDERS} policy folders.`)
    for (const name of (await readdir(real)).sort()) {
      if (!name.startsWith('.')) await visit(join(shown, name))
    }
  }
  const visit = async (shown: string): Promise<void> => {
    const real = await follow(shown)
    if (real === null) return
    const info = await stat(real)
    if (info.isDirectory()) return enter(real, shown)
    const wanted = shown.endsWith(EXTENSION) || (tests && shown.endsWith(TEST_EXTENSION))
    if (!info.isFile() || !(shown === root || wanted)) return
    found.push({ real, shown, info })
    if (found.length > MAX_FILES) throw new Error(`More than ${MAX_FILES} policy files.`)
  }
  await visit(root)
  const beside = testsBeside(root)
  if (tests && beside !== null && (await isFile(beside))) await visit(beside)
  return found.sort((a, b) => (a.shown < b.shown ? -1 : 1))
}

/** The tests of a policy file that is read alone; null for a folder, which holds its tests. */
function testsBeside(path: string): string | null {
  return path.endsWith(EXTENSION) ? `${path.slice(0, -EXTENSION.length)}${TEST_EXTENSION}` : null
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() === true
}

async function readAll(
  entries: readonly Entry[],
  root: string,
  path: string,
): Promise<SourceFile[]> {
  const files: SourceFile[] = []
  let total = 0
  for (const { real, shown, info } of entries) {
    const below = relative(root, shown).split(sep).join('/')
    const inside = below === '' ? path : `${path.replace(/\/+$/, '')}/${below}`
    const name = below.startsWith('../') ? (testsBeside(path) ?? shown) : inside
    total += info.size
    if (info.size > MAX_FILE_BYTES) {
      throw new Error(`The policy file ${name} is larger than ${MAX_FILE_BYTES} bytes.`)
    }
    if (total > MAX_TOTAL_BYTES) {
      throw new Error(`The policy files in ${path} are larger than ${MAX_TOTAL_BYTES} bytes.`)
    }
    files.push({ path: name, text: decode(await readFile(real), name) })
  }
  return files
}

/** Text, a byte order mark taken off. Lenient decoding could turn two different ids into one. */
function decode(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Error(`The policy file ${name} is not UTF-8.`, { cause })
  }
}

function fingerprint(entries: readonly Entry[]): string {
  return JSON.stringify(
    entries.map(({ real, info }) => [real, info.ino, info.size, info.mtimeMs, info.ctimeMs]),
  )
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT'
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
