/**
 * The access token of an Azure managed identity, by the Azure SDK: it knows virtual machines, App Service, Arc and
 * the others. The SDK is loaded when the source is first asked. On a virtual machine the attested document of the
 * metadata service can go beside it, made for a challenge of the broker.
 */

import { challengeOf } from '../endpoints.ts'
import { AgentError } from '../failure.ts'
import type { Assertion } from '../index.ts'

/** For whom the token is. */
export type AzureOptions = {
  /** One of `audiences` of the broker's trust entry: the application ID URI of our own registration. */
  readonly audience: string
  /** The client id of a user-assigned identity. Default: the system-assigned one. */
  readonly clientId?: string
}

/** What shows which virtual machine the token was asked for on. */
export type AzureMachineOptions = AzureOptions & {
  /** The broker's issuer identifier, exactly. */
  readonly issuer: string
  readonly fetch?: typeof fetch
  /** Where the metadata service is. Default: its one address on every machine. */
  readonly metadata?: string
}

const METADATA = 'http://169.254.169.254'
const DOCUMENT = 'metadata/attested/document?api-version=2021-02-01'
const TIMEOUT_MS = 5_000
/** The service shows a document from before now and then, and the new one when it is asked again. */
const ATTEMPTS = 5

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const ATTESTATION = 'urn:x-countersign:attestation-type:azure-document'

/**
 * Makes the source. The platform keeps a token for hours and gives the same one again.
 * @returns a source that rejects with AgentError `credential_unreadable`
 */
export function azure({ audience, clientId }: AzureOptions): () => Promise<string> {
  return async () => {
    const { ManagedIdentityCredential } = await import('@azure/identity')
    const credential = new ManagedIdentityCredential(clientId === undefined ? {} : { clientId })
    try {
      return (await credential.getToken(`${audience}/.default`)).token
    } catch (cause) {
      const name = cause instanceof Error ? cause.name : 'unknown failure'
      const message = `the managed identity gave no token for ${audience}: ${name}`
      throw new AgentError('credential_unreadable', message, null, { cause })
    }
  }
}

/**
 * Makes the source of a token with the attested document of this virtual machine beside it, a new one for each call.
 * @returns a source that rejects with AgentError `credential_unreadable`, or as the broker answers
 */
export function azureMachine(options: AzureMachineOptions): () => Promise<Assertion> {
  const { issuer, fetch: http = fetch, metadata = METADATA } = options
  const token = azure(options)
  return async () => {
    const assertion = await token()
    const value = await document(http, metadata, await challengeOf(issuer, http))
    return { type: JWT_BEARER, assertion, attestation: { type: ATTESTATION, value } }
  }
}

async function document(http: typeof fetch, origin: string, nonce: string): Promise<string> {
  const url = `${origin}/${DOCUMENT}&nonce=${nonce}`
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const signature = await signed(http, url)
    // The content stands in the signed message as it is. The broker is who reads it; this only finds ours in it.
    if (Buffer.from(signature, 'base64').includes(`"${nonce}"`)) return signature
  }
  throw unreadable('the metadata service repeats an old document')
}

async function signed(http: typeof fetch, url: string): Promise<string> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  try {
    const answer = await http(url, { headers: { metadata: 'true' }, redirect: 'error', signal })
    const { encoding, signature } = (await answer.json()) as Record<string, unknown>
    if (answer.ok && encoding === 'pkcs7' && typeof signature === 'string') return signature
  } catch (cause) {
    throw unreadable('the metadata service does not answer', cause)
  }
  throw unreadable('the metadata service answered without a document')
}

function unreadable(what: string, cause?: unknown): AgentError {
  return new AgentError('credential_unreadable', what, null, { cause })
}
