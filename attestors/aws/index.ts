/** The kind `aws`: a row of the table in `attestors/index.ts`. */

import type { AttestorKind } from '../../src/identity.ts'
import { keyReader } from '../../src/net/keyreader.ts'
import { jwtAttestor } from '../jwt.ts'
import { NITRO_FORMAT, nitroEvidence } from '../nitro/evidence.ts'
import { callerIdentity } from './relay.ts'
import { ALGORITHMS, AwsSettings, checkAws, jwksOf } from './settings.ts'
import { webIdentity } from './webidentity.ts'

/** Roles of AWS accounts, by web identity token or by a signed GetCallerIdentity. */
export const aws: AttestorKind<AwsSettings> = {
  kind: 'aws',
  schema: AwsSettings,
  name: ({ account }) => account,
  issuers: ({ issuer }) => [issuer],
  anchor: ({ account }) => ({ type: 'AwsAccount', id: account }),
  check: checkAws,
  relay: callerIdentity,
  create: (settings, common, world) =>
    jwtAttestor(
      {
        ...common,
        kind: 'aws',
        issuers: [settings.issuer],
        algorithms: ALGORITHMS,
        readKeys: keyReader(jwksOf(settings), settings.issuer, world.door),
        profile: webIdentity(settings, common),
        ...(settings.nitro && {
          second: new Map([[NITRO_FORMAT, nitroEvidence(settings.nitro)]]),
        }),
      },
      world,
    ),
}
