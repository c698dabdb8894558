/** The attestor of one OpenID Connect issuer, put together. */

import type { Attestor, TrustCommon } from '../../src/identity.ts'
import { type KeyReader, keyReader } from '../../src/net/keyreader.ts'
import { type JwtWorld, jwtAttestor } from '../jwt.ts'
import { withCertificateKeys } from './certificates.ts'
import { oidcProfile } from './profile.ts'
import { meets } from './requirements.ts'
import { type OidcRules, rulesOf } from './rules.ts'
import type { OidcSettings } from './settings.ts'

/** @param settings as `checkOidc` found nothing wrong with */
export function oidcAttestor(
  settings: OidcSettings,
  common: TrustCommon,
  world: JwtWorld,
): Attestor {
  const rules = rulesOf(settings)
  const attestor = jwtAttestor(
    {
      ...common,
      kind: 'oidc',
      issuers: [rules.issuer],
      algorithms: rules.algorithms,
      readKeys: readerOf(rules, world),
      profile: oidcProfile(rules, common),
    },
    world,
  )
  return { ...attestor, matches: (claims) => meets(claims, rules.requirements) }
}

/** Where the keys of an entry are read. */
export function readerOf(rules: OidcRules, world: JwtWorld): KeyReader {
  const read = keyReader(rules.jwks, rules.issuer, world.door)
  return rules.preset?.keysAreCertificates ? withCertificateKeys(read) : read
}
