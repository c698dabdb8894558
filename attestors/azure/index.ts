/** The kind `azure`: a row of the table in `attestors/index.ts`. */

import type { AttestorKind } from '../../src/identity.ts'
import { azureAttestor } from './attestor.ts'
import { AzureSettings, checkAzure, issuersFor } from './settings.ts'

/** Managed identities of Entra tenants, by access token and, beside it, by what Azure attests of their machine. */
export const azure: AttestorKind<AzureSettings> = {
  kind: 'azure',
  schema: AzureSettings,
  name: ({ tenant }) => tenant,
  issuers: (settings) => Object.values(issuersFor(settings)),
  audiences: ({ audiences }) => audiences,
  anchor: ({ tenant }) => ({ type: 'AzureTenant', id: tenant }),
  check: checkAzure,
  create: (settings, common, world) => azureAttestor(settings, common, world),
}
