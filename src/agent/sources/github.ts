/** The ID token of a GitHub Actions job, from the service that the runner names in its environment. */

import { AgentError } from '../failure.ts'

/** Where the token is asked for, and for whom. A job has the first two with `permissions: { id-token: write }`. */
export type GitHubOptions = {
  /** ACTIONS_ID_TOKEN_REQUEST_URL. */
  readonly url: string
  /** ACTIONS_ID_TOKEN_REQUEST_TOKEN. */
  readonly requestToken: string
  /** The `audience` of the broker's trust entry. */
  readonly audience: string
  readonly fetch?: typeof fetch
}

const TIMEOUT_MS = 5_000

/**
 * Makes the source. Each call asks for a new token, because the broker takes one only once.
 * @returns a source that rejects with AgentError `credential_unreadable`
 */
export function github(options: GitHubOptions): () => Promise<string> {
  const { url, requestToken, audience, fetch: http = fetch } = options
  return async () => {
    const asked = new URL(url)
    asked.searchParams.set('audience', audience)
    try {
      const response = await http(asked, {
        headers: { authorization: `Bearer ${requestToken}` },
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      if (!response.ok) throw unreadable(`answered ${response.status}`)
      const { value } = (await response.json()) as { readonly value?: unknown }
      if (typeof value === 'string') return value
      throw unreadable('did not answer with a token')
    } catch (cause) {
      throw cause instanceof AgentError ? cause : unreadable('cannot be reached', cause)
    }
  }
}

function unreadable(what: string, cause?: unknown): AgentError {
  const message = `the ID token service of GitHub Actions ${what}`
  return new AgentError('credential_unreadable', message, null, { cause })
}
