/**
 * The access token of an Azure managed identity, by the Azure SDK: it knows virtual machines, App Service, Arc and
 * the others. The SDK is loaded when the source is first asked.
 */

import { AgentError } from '../failure.ts'

/** For whom the token is. */
export type AzureOptions = {
  /** One of `audiences` of the broker's trust entry: the application ID URI of our own registration. */
  readonly audience: string
  /** The client id of a user-assigned identity. Default: the system-assigned one. */
  readonly clientId?: string
}

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
