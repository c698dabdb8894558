/** The kind `gcp`: a row of the table in `attestors/index.ts`. */

import type { AttestorKind } from '../../src/identity.ts'
import { keyReader } from '../../src/net/keyreader.ts'
import { jwtAttestor } from '../jwt.ts'
import {
  ALGORITHMS,
  checkGcp,
  DEFAULT_JWKS,
  DEFAULT_NAME,
  GcpSettings,
  ISSUER,
} from './settings.ts'
import { identityToken } from './token.ts'

/** Google service accounts, by identity token. */
export const gcp: AttestorKind<GcpSettings> = {
  kind: 'gcp',
  schema: GcpSettings,
  name: ({ name }) => name ?? DEFAULT_NAME,
  issuers: () => [ISSUER],
  anchor: ({ name }) => ({ type: 'GcpAccounts', id: name ?? DEFAULT_NAME }),
  check: checkGcp,
  create: (settings, common, world) =>
    jwtAttestor(
      {
        ...common,
        kind: 'gcp',
        issuers: [ISSUER],
        algorithms: ALGORITHMS,
        readKeys: keyReader(settings.jwks ?? DEFAULT_JWKS, ISSUER, world.door),
        profile: identityToken(settings, common),
      },
      world,
    ),
}
