/** The kind `azure`: a row of the table in `attestors/index.ts`. */

import type { AttestorKind } from '../../src/identity.ts'
import { keyReader } from '../../src/net/keyreader.ts'
import { jwtAttestor } from '../jwt.ts'
import { ALGORITHMS, AzureSettings, checkAzure, issuersFor, jwksOf } from './settings.ts'
import { accessToken } from './token.ts'

/** Managed identities of Entra tenants, by access token. */
export const azure: AttestorKind<AzureSettings> = {
  kind: 'azure',
  schema: AzureSettings,
  name: ({ tenant }) => tenant,
  issuers: (settings) => Object.values(issuersFor(settings)),
  audiences: ({ audiences }) => audiences,
  anchor: ({ tenant }) => ({ type: 'AzureTenant', id: tenant }),
  check: checkAzure,
  create: (settings, common, world) => {
    const { v1, v2 } = issuersFor(settings)
    return jwtAttestor(
      {
        ...common,
        audiences: settings.audiences,
        kind: 'azure',
        issuers: [v2, v1],
        algorithms: ALGORITHMS,
        readKeys: keyReader(jwksOf(settings), v2, world.door),
        profile: accessToken(settings, common.trust),
      },
      world,
    )
  },
}
