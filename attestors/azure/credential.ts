/**
 * The broker's own credential for Azure Resource Manager, by the Azure SDK. The SDK is loaded when a machine is first
 * looked up, and keeps the token until it is nearly over.
 */

import type { TokenCredential } from '@azure/identity'
import type { Timers } from '../../src/net/timers.ts'
import { within } from '../deadline.ts'

/** @returns a token for Azure Resource Manager; rejects with an Error for the operator */
export type Bearer = () => Promise<string>

const TIMEOUT_MS = 5_000
/** What may stand in a header (RFC 6750 §2.1). */
const TOKEN = /^[\w.~+/-]{1,16384}=*$/

/**
 * @param clientId of the managed identity to ask as; undefined for whatever the SDK finds
 * @param host that of Azure Resource Manager
 */
export function bearerOf(clientId: string | undefined, host: string, timers: Timers): Bearer {
  let credential: Promise<TokenCredential> | undefined
  return async () => {
    credential ??= import('@azure/identity').then((sdk) =>
      clientId === undefined
        ? new sdk.DefaultAzureCredential()
        : new sdk.ManagedIdentityCredential({ clientId }),
    )
    const found = await credential
    const token = await within(TIMEOUT_MS, timers, (abortSignal) =>
      found.getToken(`https://${host}/.default`, { abortSignal }),
    )
    if (token !== null && TOKEN.test(token.token)) return token.token
    throw new Error('the credential gave no token')
  }
}
