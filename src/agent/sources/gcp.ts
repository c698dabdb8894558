/**
 * The identity token of a Google service account, from the metadata server of the machine, Cloud Run service or GKE pod
 * that this process runs in.
 */

import { AgentError } from '../failure.ts'

/** Where the token is asked for, and for whom. */
export type GcpOptions = {
  /** The `audience` of the broker's trust entry. */
  readonly audience: string
  /** A service account of this machine, by e-mail address. Default: `default`. */
  readonly serviceAccount?: string
  /** The metadata server, as GCE_METADATA_HOST names it. Default: `metadata.google.internal`. */
  readonly host?: string
  readonly fetch?: typeof fetch
}

/** Without it the server refuses, so that a forged request cannot reach it; with it the answer shows who answered. */
const FLAVOR = 'metadata-flavor'
const GOOGLE = 'Google'
const TIMEOUT_MS = 5_000
const MAX_CHARACTERS = 16 * 1024
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/**
 * Makes the source. Each call asks anew: the metadata server keeps a token for us while it is good.
 * @returns a source that rejects with AgentError `credential_unreadable`
 */
export function gcp(options: GcpOptions): () => Promise<string> {
  const { audience, serviceAccount = 'default', host = 'metadata.google.internal' } = options
  const http = options.fetch ?? fetch
  const query = new URLSearchParams({ audience, format: 'full' })
  const account = encodeURIComponent(serviceAccount)
  const path = `/computeMetadata/v1/instance/service-accounts/${account}/identity`
  return async () => {
    const text = await ask(http, `http://${host}${path}?${query}`)
    if (text.length <= MAX_CHARACTERS && JWT.test(text)) return text
    throw unreadable('did not answer with an identity token')
  }
}

async function ask(http: typeof fetch, url: string): Promise<string> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const headers = { [FLAVOR]: GOOGLE }
    const response = await http(url, { headers, redirect: 'error', signal })
    if (!response.ok) throw unreadable(`answered ${response.status}`)
    if (response.headers.get(FLAVOR) !== GOOGLE) throw unreadable('is not that of Google')
    return (await response.text()).trim()
  } catch (cause) {
    throw cause instanceof AgentError ? cause : unreadable('cannot be reached', cause)
  }
}

function unreadable(what: string, cause?: unknown): AgentError {
  const message = `the metadata server ${what}`
  return new AgentError('credential_unreadable', message, null, { cause })
}
