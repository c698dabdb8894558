/** For whom an agent acts: token exchange (RFC 8693 §2.1), in which its platform's credential is that of the actor. */

import { readFile } from 'node:fs/promises'
import { AgentError } from './failure.ts'

/** RFC 8693 §2.1 and §3. */
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const PREFIX = 'urn:ietf:params:oauth:token-type:'

/** By whose authority an agent asks: what a person's provider, or another agent, has given it. */
export type Subject = {
  readonly token: string
  /** `id_token` or `access_token` of a provider, `access_token` of the broker's own; or a whole URN. */
  readonly type: string
}

/** Reads a subject token from a file, anew for each token that is asked for. @param type as in `Subject` */
export function subjectFile(path: string, type: string): () => Promise<Subject> {
  return async () => {
    try {
      return { token: (await readFile(path, 'utf8')).trim(), type }
    } catch (cause) {
      const message = `cannot read the subject token ${path}`
      throw new AgentError('subject_unreadable', message, null, { cause })
    }
  }
}

/**
 * What is sent by somebody's authority, in place of what the agent would send for itself.
 *
 * @param own its credential, as the parameters of a request for itself; a certificate is in the connection
 */
export function onBehalf(
  { grant_type: _own, assertion, ...own }: Readonly<Record<string, string>>,
  { token, type }: Subject,
): Record<string, string> {
  const subject = {
    grant_type: TOKEN_EXCHANGE,
    subject_token: token,
    subject_token_type: type.includes(':') ? type : `${PREFIX}${type}`,
  }
  if (assertion === undefined) return { ...own, ...subject }
  return { ...own, ...subject, actor_token: assertion, actor_token_type: `${PREFIX}jwt` }
}
