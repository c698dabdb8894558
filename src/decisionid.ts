/** The id of a decision: of its event, of the answer, and of the token that may come of it. */

import { randomUUID } from 'node:crypto'

/**
 * A UUID of version 7 (RFC 9562 §5.7). Ids that grow with time are appended to an index; random ones would be
 * sorted into it, a page each, and the more the longer decisions are kept.
 *
 * @param now milliseconds since the epoch
 */
export function decisionId(now: number): string {
  const time = now.toString(16).padStart(12, '0')
  // Of a random UUID everything behind its version is kept: the variant and 74 random bits.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`
}
