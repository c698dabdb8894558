/** What holds for one entry: its settings over those of its preset. No I/O. No clock. */

import type { Selection } from '../../src/identity.ts'
import type { JwksSettings } from '../../src/net/keyreader.ts'
import type { Algorithm } from '../../src/net/signature.ts'
import { seconds } from '../../src/units.ts'
import type { Preset } from './preset.ts'
import { PRESETS } from './presets/index.ts'
import { type Requirements, spelled } from './requirements.ts'
import type { OidcSettings } from './settings.ts'
import { readTemplate, type Template } from './subject.ts'
import { type ClaimRule, type ClaimSchema, may } from './typed.ts'

export type OidcRules = {
  readonly name: string
  readonly issuer: string
  readonly preset: Preset | null
  readonly jwks: JwksSettings
  readonly algorithms: readonly Algorithm[]
  readonly requirements: Requirements
  readonly subject: Template
  /** By the name of the fact. */
  readonly facts: readonly (readonly [name: string, rule: ClaimRule])[]
  /** What a revocation can name: what stands before the id, and the place of the id. */
  readonly lineage: readonly (readonly [prefix: string, place: string])[]
  readonly maxLifetimeSeconds: number
  readonly replay: 'once' | 'reusable'
}

const DEFAULT_SUBJECT = '{sub}'
const DEFAULT_MAX_LIFETIME = '61m'

/** The preset that an entry names; null for none. */
export function presetOf(settings: OidcSettings): Preset | null {
  return settings.preset === undefined ? null : PRESETS[settings.preset]
}

/** Where the keys of an entry are. */
export function jwksOf(settings: OidcSettings): JwksSettings {
  return settings.jwks ?? presetOf(settings)?.jwks?.(settings.issuer) ?? { discovery: true }
}

/** @param settings as `checkOidc` found nothing wrong with */
export function rulesOf(settings: OidcSettings): OidcRules {
  const preset = presetOf(settings)
  const template = readTemplate(settings.subject ?? preset?.subject ?? DEFAULT_SUBJECT)
  if (typeof template === 'string') throw new Error(`the subject of ${settings.name} ${template}`)
  return {
    name: settings.name,
    issuer: settings.issuer,
    preset,
    jwks: jwksOf(settings),
    algorithms: settings.algorithms ?? (preset ? ['RS256'] : ['RS256', 'ES256']),
    requirements: settings.require ?? {},
    subject: template,
    facts: Object.entries(preset?.facts ?? ownFacts(settings.claims ?? {})),
    lineage: Object.entries(preset?.lineage ?? {}).map(([kind, place]) => [
      `${kind}:${settings.name}/`,
      place,
    ]),
    maxLifetimeSeconds: seconds(
      settings.maxLifetime ?? preset?.maxLifetime ?? DEFAULT_MAX_LIFETIME,
    ),
    replay: replayOf(settings),
  }
}

/** Whether a token may be shown again: as set, or as the preset's platform hands them out. */
export function replayOf(settings: OidcSettings): OidcRules['replay'] {
  return settings.replay ?? presetOf(settings)?.replay ?? 'reusable'
}

/** Each claim that the entry lists is a fact of its own; none is demanded, which is what `require` is for. */
function ownFacts(claims: NonNullable<OidcSettings['claims']>): ClaimSchema {
  return Object.fromEntries(
    Object.entries(claims).map(([name, type]) => [`claim.${name}`, may(name, type)]),
  )
}

/** What tells the entry from others of its issuer and audience. */
export function selectionOf(settings: OidcSettings): Selection {
  const jwks = Object.entries(jwksOf(settings)).sort(([a], [b]) => (a < b ? -1 : 1))
  return { keySource: JSON.stringify(jwks), requires: spelled(settings.require ?? {}) }
}
