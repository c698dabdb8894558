/** The secret that encrypts signing keys when the configuration names none: made beside the database. */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Detail } from './refusal.ts'
import { writeOnce } from './writeonce.ts'

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
  if (writeOnce(path, made)) {
    warn(
      { path },
      'keys.secret is not set: made one beside the database; anyone who copies both has the signing keys',
    )
    return made
  }
  const kept = readFileSync(path, 'utf8').trim()
  if (kept.length < SECRET_BYTES) {
    throw new Error(`${path} is too short to be the secret of this store; restore it from a backup`)
  }
  return kept
}
