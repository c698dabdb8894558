/** Config and rooms → what discovery says of this broker. */

import type { Config } from './config.ts'
import type { MetadataRoom } from './http/metadata.ts'
import type { Attestor } from './identity.ts'
import type { SigningKeys } from './keys.ts'

/** What discovery says. */
export function published(
  config: Config,
  { attestors, keys }: { readonly attestors: readonly Attestor[]; readonly keys: SigningKeys },
  seconds: () => number,
): MetadataRoom {
  return {
    issuer: config.issuer,
    scopes: [...new Set(config.resources.flatMap((resource) => resource.scopes))],
    assertionAlgorithms: [...new Set(attestors.flatMap((attestor) => attestor.algorithms))],
    spiffe: attestors.some(({ kind }) => kind === 'spiffe'),
    takesGrants: config.users.some(({ accept }) => accept.includes('id-jag')),
    makesGrants: config.chaining.length > 0,
    publishedKeys: () => keys.published(seconds()),
    ...certificateUse(config),
  }
}

/** What certificates are good for here; nothing optional is published before it works. */
function certificateUse({ listen }: Config) {
  const header = listen.trustedProxies.length === 0 ? 'ignore' : listen.clientCertHeader
  const { asked } = listen.clientCertificates
  return {
    clientCertificates: asked || header === 'identify',
    bindsCertificates: asked || header !== 'ignore',
  }
}
