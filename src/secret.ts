/** The secret that encrypts signing keys when the configuration names none: made beside the database. */

import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import type { Detail } from './refusal.ts'

const SECRET_BYTES = 32

/** Where the secret of an embedded store is kept. @param database its path */
export function secretPath(database: string): string {
  return `${database}.secret`
}

/**
 * Reads the secret file of an embedded store, or makes it (mode 0600).
 *
 * @param database path of the database; `:memory:` gets a secret that is never written
 * @returns the secret as text, to be used as `keys.secret` would be
 */
export function keysSecret(
  database: string,
  warn: (detail: Detail, sentence: string) => void,
): string {
  const made = randomBytes(SECRET_BYTES).toString('base64url')
  if (database === ':memory:') return made
  const path = secretPath(database)
  try {
    writeOnce(path, made)
    warn(
      { path },
      'keys.secret is not set: made one beside the database; anyone who copies both has the signing keys',
    )
    return made
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const kept = readFileSync(path, 'utf8').trim()
  if (kept.length < SECRET_BYTES) {
    throw new Error(`${path} is too short to be the secret of this store; restore it from a backup`)
  }
  return kept
}

/**
 * Whole or not at all, and never over another: of two processes that start at once, one makes it and the other
 * reads it, and a crash leaves no empty file behind.
 */
function writeOnce(path: string, text: string): void {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  const fd = openSync(draft, 'wx', 0o600)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
    linkSync(draft, path)
  } finally {
    closeSync(fd)
    unlinkSync(draft)
  }
}
