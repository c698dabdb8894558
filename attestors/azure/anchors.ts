/**
 * What the signer of an attested document is judged by: the pinned root, and certificates that the operator has in files.
 * Microsoft changes the authorities in between without a word, so the files are read again now and then. Nothing is fetched.
 */

import { readFile } from 'node:fs/promises'
import { type Certificate, readPem } from '../certificate.ts'
import { bundledRoots } from './roots.ts'

export type Anchors = {
  readonly roots: readonly Certificate[]
  readonly intermediates: readonly Certificate[]
}

/** PEM files. */
export type AnchorPaths = {
  readonly roots: string | undefined
  readonly intermediates: string | undefined
}

export type AnchorFiles = {
  /** What was read within the last minute. Files that cannot be read leave what was there before. */
  read(): Promise<Anchors>
  /** Why the files were not read, as a sentence for the operator; null when they were. */
  problem(): string | null
}

const KEPT_MS = 60_000

/**
 * @param now milliseconds since the epoch
 * @param warn hears that the files cannot be read
 */
export function anchorFiles(
  paths: AnchorPaths,
  now: () => number,
  warn: (sentence: string) => void,
): AnchorFiles {
  const bundled = bundledRoots()
  let anchors: Anchors = { roots: bundled, intermediates: [] }
  let problem: string | null = null
  let until = Number.NEGATIVE_INFINITY
  let reading: Promise<void> = Promise.resolve()

  async function renew(): Promise<void> {
    try {
      const [roots, intermediates] = await Promise.all([
        certificatesOf(paths.roots),
        certificatesOf(paths.intermediates),
      ])
      anchors = { roots: [...bundled, ...roots], intermediates }
      problem = null
    } catch (cause) {
      problem = cause instanceof Error ? cause.message : 'unreadable'
      warn(`the certificates for attested documents cannot be read: ${problem}`)
    }
  }

  return {
    problem: () => problem,
    async read() {
      if (now() >= until) {
        until = now() + KEPT_MS
        reading = renew()
      }
      await reading
      return anchors
    },
  }
}

async function certificatesOf(path: string | undefined): Promise<readonly Certificate[]> {
  if (path === undefined) return []
  const text = await readFile(path, 'utf8')
  try {
    return readPem(text)
  } catch (cause) {
    throw new Error(`${path} holds no certificates in PEM, or one that cannot be read`, { cause })
  }
}
