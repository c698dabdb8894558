/** A file with a secret that is made on first use: one of several processes makes it, and the others read it. */

import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, unlinkSync, writeSync } from 'node:fs'

/**
 * Writes a file with mode 0600: whole or not at all, and never over another. Of two processes that start at once, one
 * makes it and the other reads it, and a crash leaves no empty file behind.
 *
 * @returns whether this call made it; false where it was there
 * @throws Error of the file system
 */
export function writeOnce(path: string, text: string): boolean {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  const fd = openSync(draft, 'wx', 0o600)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    closeSync(fd)
    unlinkSync(draft)
  }
}
