/** The kind `spiffe`: a row of the table in `attestors/index.ts`. */

import type { AttestorKind } from '../../src/identity.ts'
import { trustDomainUri } from '../../src/net/spiffeid.ts'
import { jwtAttestor } from '../jwt.ts'
import { checkSpiffe, DEFAULT_ALGORITHMS, SpiffeSettings } from './settings.ts'
import { bundleSource } from './source.ts'
import { jwtSvid } from './token.ts'
import { X509_SVID, x509Svid } from './x509.ts'

/** Workloads of one trust domain, by JWT-SVID or X.509-SVID. */
export const spiffe: AttestorKind<SpiffeSettings> = {
  kind: 'spiffe',
  schema: SpiffeSettings,
  name: ({ trustDomain }) => trustDomain,
  // A JWT-SVID needs no `iss`; the trust domain in its `sub` selects the entry in its stead.
  issuers: ({ trustDomain }) => [trustDomainUri(trustDomain)],
  anchor: ({ trustDomain }) => ({ type: 'TrustDomain', id: trustDomain }),
  check: checkSpiffe,
  create(settings, common, world) {
    const { read, authorities } = bundleSource(settings.bundle, world.door)
    return jwtAttestor(
      {
        ...common,
        kind: 'spiffe',
        issuers: [trustDomainUri(settings.trustDomain)],
        algorithms: settings.algorithms ?? DEFAULT_ALGORITHMS,
        readKeys: read,
        profile: jwtSvid(settings, common),
        direct: (keys) => new Map([[X509_SVID, x509Svid(settings, common, authorities, keys)]]),
      },
      world,
    )
  },
}
