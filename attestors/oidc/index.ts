/** The kind `oidc`: a row of the table in `attestors/index.ts`. */

import type { AttestorKind } from '../../src/identity.ts'
import { oidcAttestor } from './attestor.ts'
import { checkOidc } from './check.ts'
import { presetOf, replayOf, selectionOf } from './rules.ts'
import { OidcSettings } from './settings.ts'

/** Subjects of OpenID Connect issuers: CI systems, platforms, any other. */
export const oidc: AttestorKind<OidcSettings> = {
  kind: 'oidc',
  schema: OidcSettings,
  name: (settings) => settings.name,
  issuers: (settings) => [settings.issuer],
  oneTime: (settings) => replayOf(settings) === 'once',
  anchor: (settings) => ({ type: 'OidcIssuer', id: settings.name }),
  fixesAudience: (settings, audience) => presetOf(settings)?.fixedAudience?.test(audience) === true,
  selection: selectionOf,
  check: checkOidc,
  create: oidcAttestor,
}
