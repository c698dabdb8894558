/** A log, line by line, in bounded memory however long it is, and however long a line. */

import { createReadStream } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'

/** One line; `text` is null when it was too long to keep. Numbers count from 1. */
export type Line = { readonly number: number; readonly text: string | null }

/** An AuditEvent is some kilobytes. */
const MAX_LINE = 4 * 1024 * 1024
const CHUNK = 1024 * 1024

/**
 * The lines of a file, as many at a time as one read brings. The last need not end.
 *
 * @param file a path, or `-` for standard input
 * @throws Error when it cannot be read
 */
export async function* batches(file: string): AsyncGenerator<readonly Line[]> {
  const source = file === '-' ? { fd: 0 } : {}
  const stream = createReadStream(file, { ...source, highWaterMark: CHUNK })
  const decoder = new StringDecoder('utf8')
  let rest = ''
  let overlong = false
  let number = 0
  const line = (text: string): Line => {
    number += 1
    const kept = overlong || text.length > MAX_LINE ? null : text
    overlong = false
    return { number, text: kept }
  }
  for await (const chunk of stream) {
    const parts = decoder.write(chunk).split('\n')
    const last = parts.pop() ?? ''
    if (parts.length === 0) rest += last
    else {
      parts[0] = rest + (parts[0] ?? '')
      rest = last
      yield parts.map(line)
    }
    if (rest.length > MAX_LINE) {
      overlong = true
      rest = ''
    }
  }
  rest += decoder.end()
  if (rest !== '' || overlong) yield [line(rest)]
}
